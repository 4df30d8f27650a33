"""TM2T as a submission."""
