"""Pictures, sound and video, in and out."""
