"""The scene: MRML nodes to arrays and back, runs in the background, support sets and exports. No Qt.

The scene and its nodes are arguments; nothing here asks the application for them. Works in Slicer 5.10 and later and
with the PyPI package ``slicer-core``. Importing this package imports neither Slicer nor torch;
``UniverSegSlicerLib.scene.interface`` holds plain values, ``UniverSegSlicerLib.scene.logic`` the façade.
"""
