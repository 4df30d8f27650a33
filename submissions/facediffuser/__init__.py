"""FaceDiffuser as a submission."""
