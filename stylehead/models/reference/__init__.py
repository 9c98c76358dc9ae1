"""Published networks that no command reaches, kept as checked readings of their papers."""
