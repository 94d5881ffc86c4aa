"""A/B tests: planning from values per user, checks of the assignment, and reading a finished test."""
