"""CodeTalker as a submission."""
