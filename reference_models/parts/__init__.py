"""What several reference models share."""
