"""To be filled: the room `tasks`."""
