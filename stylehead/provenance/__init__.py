"""Where a video comes from: its signature, its mark, and finding both again."""
