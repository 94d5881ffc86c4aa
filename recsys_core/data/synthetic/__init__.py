"""Synthetic data sets with known true preferences, and the samples generated from them."""
