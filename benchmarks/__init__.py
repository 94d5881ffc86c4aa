"""Comparisons with other libraries, and measurements of the documented performance figures."""
