"""Storage primitives: atomic files, checksums, locks, process marks, permissions and disk errors."""
