"""Replicas of models, in this process or in worker processes."""
