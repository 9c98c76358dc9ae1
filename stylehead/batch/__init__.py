"""Many jobs: lists of them, processes that do them, and what is remembered of each."""
