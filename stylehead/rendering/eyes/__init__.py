"""The eyes: lids that close over eyeballs which keep their shape, and gaze by moved irises."""
