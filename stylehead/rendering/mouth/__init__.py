"""The square around the mouth, and what completes it."""
