"""What can be asked of the server, free of any protocol."""
