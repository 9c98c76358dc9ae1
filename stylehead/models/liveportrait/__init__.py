"""The networks of LivePortrait, with the published checkpoints' parameter names."""
