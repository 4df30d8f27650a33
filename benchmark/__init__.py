"""What is measured: tracks, splits, clips, the head model, the embedded corpus, and the protocol of a generator."""
