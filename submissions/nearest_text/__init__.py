"""The nearest-text baseline: what a generator must beat."""
