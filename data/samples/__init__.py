"""Bundled synthetic data sets and the scripts that generate them."""
