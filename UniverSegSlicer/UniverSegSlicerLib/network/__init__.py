"""To be filled: the room `network`."""
