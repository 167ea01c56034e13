"""To be filled: the room `imaging`."""
