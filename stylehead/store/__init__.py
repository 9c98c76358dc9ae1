"""Model files: the list of them, how they come here, where they lie and how they are read."""
