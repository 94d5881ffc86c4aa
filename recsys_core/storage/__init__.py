"""What everything that is kept on disk stands on: files, checksums, locks and the marks of processes."""
