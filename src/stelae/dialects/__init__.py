"""Public wire protocols, one folder each."""
