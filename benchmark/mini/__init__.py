"""The embedded corpus: open head, performers, speech, texts, and how they are built."""
