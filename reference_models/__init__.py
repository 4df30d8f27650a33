"""What submissions are compared with: MM2Face and the adapted baselines, and how they are trained."""
