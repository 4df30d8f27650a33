"""Imitator of the reference models, on the weights named in ``weights.json``."""

from pathlib import Path

from reference_models.generator import ReferenceGenerator, pinned


def build(track: str) -> ReferenceGenerator:
    """The generator for a track, given as its id with version."""
    return pinned("imitator", track, Path(__file__).parent)
