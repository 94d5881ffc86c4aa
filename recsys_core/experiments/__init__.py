"""Experiments: what is to be run, running it, and keeping what came out."""
