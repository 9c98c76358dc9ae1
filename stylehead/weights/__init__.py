"""Model files: listed, fetched, checked and loaded."""
