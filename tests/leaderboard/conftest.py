"""A built site of a made-up world, once for all tests."""

from pathlib import Path

import pytest

from tests.leaderboard.site_world import build_site, write_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder of results."""
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def site(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site built from it."""
    return build_site(world, tmp_path_factory.mktemp("site") / "site")
