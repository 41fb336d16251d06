"""``stelae verify``: what a model makes, beside what its reference library makes."""
