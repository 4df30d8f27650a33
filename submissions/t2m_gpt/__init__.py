"""T2MGPT as a submission."""
