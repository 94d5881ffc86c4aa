"""Lessons on a teacher's own rating matrix: reading it, its code for links, and the lessons that it fits."""
