"""The algorithms: one file each, found through `registry`."""
