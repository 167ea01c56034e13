"""Measurements of speed and quality, printed by `universeg-slicer bench`."""
