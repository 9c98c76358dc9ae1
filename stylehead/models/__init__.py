"""Neural networks only: no files, no printing, no choice of device."""
