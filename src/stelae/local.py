"""The client's interface over models in this very process."""
