"""FaceFormer as a submission."""
