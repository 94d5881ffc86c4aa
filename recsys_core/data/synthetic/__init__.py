"""Synthetic data sets whose true preferences are known, and the samples made from them."""
