"""What computes: devices, cores and threads."""
