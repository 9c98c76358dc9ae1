"""Metrics, comparisons and the benchmark."""
