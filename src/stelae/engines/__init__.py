"""Engines: loaded models behind two protocols, one folder per runtime."""
