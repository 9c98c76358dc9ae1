"""Many mixed jobs in one process: what grows that should not."""
