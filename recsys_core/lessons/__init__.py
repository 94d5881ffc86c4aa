"""Lessons for the page Learn: small worlds, texts and questions, with numbers computed by production code."""
