"""What a query brings besides its image: simulated clicks and prior planes."""
