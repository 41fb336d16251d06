"""``stelae embed``: any number of items from a file to a file, in constant memory."""
