"""Fixtures shared by all rooms' tests."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden vectors and real recordings beside the project; tests that need it skip where it is absent."""
    path = ROOT.parent / "shared"
    if not (path / "golden").is_dir():
        pytest.skip("needs the golden vectors and real recordings in ../shared, which are not part of the project")
    return path
