"""Logs, metrics and traces: one place for every name."""
