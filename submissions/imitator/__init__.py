"""Imitator as a submission."""
