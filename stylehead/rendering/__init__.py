"""Portrait and motion -> frames."""
