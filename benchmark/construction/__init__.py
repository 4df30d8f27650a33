"""From raw tracks, labels and action units to a corpus of clean, annotated clips in the MMHead layout."""
