"""Volumes, segments and transforms of a scene as arrays and back: read, written with undo, shown, exported."""
