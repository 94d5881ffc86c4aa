"""From a score to the list that is shown: re-ranking methods, and strategies that combine them."""
