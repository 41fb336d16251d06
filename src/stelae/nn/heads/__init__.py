"""From token vectors to answers."""
