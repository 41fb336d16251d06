"""Comparisons with the reference library and with peers: A and B in turn, in one run."""
