"""Small models that really learn something; each writes a folder under ``tests/data``."""
