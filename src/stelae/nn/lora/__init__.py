"""Low-rank adapters: how their matrices come to our layers, and how they run."""
