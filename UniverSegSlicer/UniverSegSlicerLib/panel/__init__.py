"""To be filled: the room `panel`."""
