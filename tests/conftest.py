"""Fixtures shared by all rooms' tests."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """Golden vectors and real recordings, beside the project; tests that need them skip where they are absent."""
    path = ROOT.parent / "shared"
    if not (path / "golden").is_dir():
        pytest.skip("needs the golden vectors and real recordings in ../shared, which are not part of the project")
    return path


@pytest.fixture(scope="session")
def project() -> Iterator[Path]:
    """The project's folder, made the working folder."""
    patch = pytest.MonkeyPatch()
    patch.chdir(ROOT)
    yield ROOT
    patch.undo()


@dataclass(frozen=True)
class Run:
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Run]


@pytest.fixture
def mmbench(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:  # noqa: ARG001
    """Runs the command line in this process: ``mmbench("list", "tracks").out``."""

    def run(*arguments: object) -> Run:
        from mmbench.cli import main

        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["mmbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        code = stop.value.code
        assert isinstance(code, int)
        return Run(code, captured.out, captured.err)

    return run
