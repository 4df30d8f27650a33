"""How it is scored: metrics, retrieval encoders, statistics, the result record."""
