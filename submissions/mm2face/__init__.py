"""MM2Face as a submission."""
