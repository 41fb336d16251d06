"""The generated pages of the documentation, one module each; see ``tools/docs.py``."""
