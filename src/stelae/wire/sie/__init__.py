"""What SIE's protocol means, for those who answer it and for those who speak it."""
