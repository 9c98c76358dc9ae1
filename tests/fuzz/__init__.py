"""Broken files by the thousand, and whether any of them does more than be refused."""
