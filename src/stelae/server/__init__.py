"""Assembly, listeners and the HTTP edge."""
