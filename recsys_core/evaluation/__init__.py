"""Evaluation: from a trained model and a split to per-user metrics, and from those to a comparison one can defend."""
