"""Varied runs, their numbers computed independently of the library, and one check per sentence said about them."""
