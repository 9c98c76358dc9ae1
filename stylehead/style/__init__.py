"""How somebody moves: learned from a clip, kept in a file, mixed."""
