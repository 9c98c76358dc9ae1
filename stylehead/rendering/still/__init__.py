"""What is made of the still portrait once: its square, its person, its background, its relief."""
