"""From prepared items to batches: pure state and the threads around it."""
