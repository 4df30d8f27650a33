"""What is scored: one folder a submission."""
