"""What draws, and what is picked in the slice views: icons, pictures, clicks."""
