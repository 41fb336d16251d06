"""Xinference's command line in its own spelling: ``python -m stelae.xinference``."""
