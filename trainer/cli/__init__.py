"""To be filled: the room `cli`."""
