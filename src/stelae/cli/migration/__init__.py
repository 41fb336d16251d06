"""Configuration of other servers, read as it is."""
