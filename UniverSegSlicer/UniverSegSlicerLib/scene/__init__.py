"""To be filled: the room `scene`."""
