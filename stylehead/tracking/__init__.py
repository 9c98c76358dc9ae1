"""Faces in pictures and clips."""
