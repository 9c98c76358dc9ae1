"""The networks of face-vid2vid, with the published checkpoint's parameter names."""
