"""Stands for vLLM in tests: it has not been run here."""
