"""To be filled: the room `learning`."""
