"""Layers that work on packed tokens."""
