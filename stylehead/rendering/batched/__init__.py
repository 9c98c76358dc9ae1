"""The embedded renderer in torch: many frames at once, and no pixel leaves the device half-made."""
