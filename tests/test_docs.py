"""What the documents promise is there."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROTOCOLS = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:benchmark|evaluators)/[\w/]+\.py)(?:::(\w+))?`", PROTOCOLS)))


def test_every_quirk_is_in_the_table() -> None:
    assert re.findall(r"^\| (Q\d+) \|", PROTOCOLS, re.MULTILINE) == [f"Q{n}" for n in range(1, 29)]


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_named_in_the_protocols_exists(path: str, name: str) -> None:
    source = (ROOT / "tests" / path).read_text(encoding="utf-8")
    assert not name or f"def {name}(" in source


def test_the_readmes_example_is_a_valid_submission(tmp_path: Path) -> None:
    from benchmark.submission_check import validate

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    card, code = (re.findall(rf"```{language}\n(.*?)```", readme, re.DOTALL)[0] for language in ("toml", "python"))
    folder = tmp_path / "mymodel"
    folder.mkdir()
    (folder / "submission.toml").write_text(card, encoding="utf-8")
    (folder / "generator.py").write_text(code, encoding="utf-8")
    report = validate(folder)
    assert [problem.what for problem in report.problems] == []


def test_the_readme_names_both_commands_and_every_command_there_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("make demo", "make test", "list", "describe", "data build mini", "validate", "generate", "score"):
        assert command in readme
    assert "_OUTPUT" not in readme and "_TABLE" not in readme
