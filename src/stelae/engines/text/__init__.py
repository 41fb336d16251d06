"""What all engines for texts share: from calls to token ids, from rows to results."""
