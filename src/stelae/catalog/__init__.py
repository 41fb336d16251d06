"""What models are: read from their checkpoints, found by name, never guessed."""
