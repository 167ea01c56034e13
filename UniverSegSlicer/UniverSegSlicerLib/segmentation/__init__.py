"""To be filled: the room `segmentation`."""
