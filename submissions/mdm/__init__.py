"""MDM as a submission."""
