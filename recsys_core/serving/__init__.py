"""Recommendations for a user now: trained models and their process, incremental updates, and uploads in progress."""
