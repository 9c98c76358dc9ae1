"""The page: what `stylehead ui` shows, and the same as an HTTP interface."""
