"""To be filled: the room `megamedical`."""
