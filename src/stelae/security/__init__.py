"""Keys, limits and guards."""
