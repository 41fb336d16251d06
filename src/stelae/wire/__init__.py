"""Codecs shared by the dialects, the hop to a worker and the client."""
