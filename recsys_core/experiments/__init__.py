"""Experiments: specs, execution, and stored results."""
