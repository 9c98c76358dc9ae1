"""Faults of the machine, injected: what is left behind, and whether the next run works."""
