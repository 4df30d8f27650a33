"""Cards, files and the validation of submissions: every mistake is explained, all of them at once."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.errors import InputError
from benchmark.submission import load_submission
from benchmark.submission_check import validate
from tests.benchmark.submissions import NOISE, motion, write_card, write_code, write_predictions


def test_a_right_card_is_read_and_says_which_tracks_it_enters(tmp_path: Path) -> None:
    submission = load_submission(write_code(tmp_path / "s", tracks=["mini/talking", "mini/text2motion@1"]))
    assert (submission.card.name, submission.card.batch_size, submission.card.inputs) == (
        "trial",
        32,
        ["text", "audio"],
    )
    assert submission.card.enters("mini/talking@3") and submission.card.enters("mini/text2motion@1")
    assert not submission.card.enters("mini/text2motion@2") and not submission.card.enters("other/talking@0")
    assert load_submission(write_code(tmp_path / "all", tracks=["*"])).card.enters("any/talking@9")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"licence": " "}, ["licence", "is empty"]),
        ({"licens": "MIT"}, ["unknown key", "did you mean licence"]),
        ({"url": "file:///etc/passwd"}, ["url", "http or https", "file:///etc/passwd"]),
        ({"url": "example.org"}, ["url", "http or https"]),
        ({"kind": "weights"}, ["kind", "'code' or 'predictions'"]),
        ({"entry": "generator.py"}, ["entry", "module:callable"]),
        ({"entry": "../evil:Make"}, ["entry", "module:callable"]),
        ({"stochastic": "yes"}, ["stochastic", "boolean", "'yes'"]),
        ({"version": 1.0}, ["version", "string", "1.0"]),
        ({"tracks": []}, ["tracks", "at least 1"]),
        ({"tracks": ["talking"]}, ["tracks.0", "is no track id"]),
        ({"authors": [""]}, ["authors.0", "is empty"]),
        ({"inputs": ["video"]}, ["inputs.0", "'text' or 'audio'"]),
        ({"batch_size": 0}, ["batch_size", "greater than or equal to 1"]),
        ({"name": "a/b"}, ["name", "letters, digits"]),
        ({"kind": "predictions"}, ["only code has an entry"]),
        ({"needs_track": "mini/talking@1"}, ["needs_track", "boolean"]),
    ],
)
def test_each_mistake_in_a_card_is_explained(tmp_path: Path, changes: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_submission(write_code(tmp_path, **changes))
    assert len(caught.value.problems) == 1
    assert all(part in str(caught.value) for part in said), str(caught.value)


def test_all_mistakes_of_a_card_are_told_at_once(tmp_path: Path) -> None:
    write_card(tmp_path, without=("entry", "name", "authors"), colour="red", licence="", url="ftp://x")
    with pytest.raises(InputError) as caught:
        load_submission(tmp_path)
    told = {problem.where.rpartition(": ")[2] for problem in caught.value.problems}
    assert told == {"entry", "name", "authors", "colour", "licence", "url"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no card"),
        (b"name = ", "no valid TOML"),
        (b"name = '\xff'", "no valid TOML"),
        (b"x = " + b"[" * 9999, "no valid TOML"),
    ],
)
def test_a_card_that_cannot_be_read_is_an_input_error(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "submission.toml").write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_submission(tmp_path)
    assert said in str(validate(tmp_path).problems[0])


def test_the_code_hash_follows_files_and_names_but_not_caches_nor_predictions(tmp_path: Path) -> None:
    folder = write_code(tmp_path)
    first = load_submission(folder).code_sha256
    for name in ("__pycache__/generator.pyc", "predictions/mini/0.npz", ".git/HEAD", "generator.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert load_submission(folder).code_sha256 == first
    (folder / "weights.bin").write_bytes(b"1")
    second = load_submission(folder).code_sha256
    (folder / "weights.bin").rename(folder / "weights2.bin")
    assert len({first, second, load_submission(folder).code_sha256}) == 3


def test_symbolic_links_are_refused_files_and_folders_alike(tmp_path: Path) -> None:
    folder = write_code(tmp_path / "s")
    (folder / "data").symlink_to("/etc")
    (folder / "secret.txt").symlink_to("../../secret.txt")
    with pytest.raises(InputError) as caught:
        load_submission(folder)
    assert [Path(problem.where).name for problem in caught.value.problems] == ["data", "secret.txt"]
    assert len(validate(folder).problems) == 2


def test_a_right_submission_validates_without_notes_in_either_kind(tmp_path: Path) -> None:
    assert validate(write_code(tmp_path / "code")).problems == []
    clips = [{"a": motion(9, seed), "b": motion(12, seed)} for seed in range(5)]
    report = validate(write_predictions(tmp_path / "files", clips))
    assert (report.problems, report.notes, report.ok) == ([], [], True)


CODE_MISTAKES: dict[str, tuple[str, dict[str, Any], str]] = {
    "an import that fails": ("import no_such_module", {}, "No module named 'no_such_module'"),
    "no such name in the module": ("x = 1", {}, "has no attribute 'Make'"),
    "an entry that wants arguments": (
        NOISE.replace("class Make:", "class Make:\n        def __init__(self, path): pass"),
        {},
        "'path'",
    ),
    "no method generate": ("class Make: pass", {}, "without a method generate"),
    "exit on import": ("import os; os._exit(0)", {}, "exited with 0"),
    "exit on import by exception": ("raise SystemExit(3)", {}, "SystemExit: 3"),
    "an error in generate": (NOISE.replace("c.frames", "c.length"), {}, "no attribute 'length'"),
    "arrays in place of motions": (NOISE.replace("Motion(", "("), {}, "expected a benchmark.protocol.Motion"),
    "float64": (NOISE.replace(".astype(np.float32)", ""), {}, "wrong dtype"),
    "55 parameters": (NOISE.replace("56", "55"), {}, "wrong shape"),
    "another length": (NOISE.replace("c.frames, 56", "c.frames + 1, 56"), {}, "another length"),
    "NaN": (NOISE.replace("rng.normal(0, 0.1,", "np.nan * rng.normal(0, 0.1,"), {}, "NaN or infinite"),
    "degrees": (NOISE.replace("0.1", "57.0"), {}, "degrees"),
    "too few motions": (NOISE.replace("in conditions", "in conditions[1:]"), {}, "returned 0 motions for 1 conditions"),
    "vertices promised, parameters given": (NOISE, {"output": "vertices"}, "the motion has no vertices"),
    "a seed that is not used": (NOISE.replace("(seed)", "(1)"), {}, "another seed gives the same motion"),
    "stochastic, not declared": (NOISE, {"stochastic": False}, "another seed gives another motion"),
    "the clock as a seed": (NOISE.replace("(seed)", "()"), {}, "the same seed gives another motion"),
    "audio alone on a track without": (
        NOISE,
        {"inputs": ["audio"], "tracks": ["mini/text2motion"]},
        "uses audio alone",
    ),
    "a track that is not": (NOISE, {"tracks": ["mini/talkin@1"]}, "did you mean mini/talking"),
    "an entry elsewhere": (NOISE, {"entry": "model:Make"}, "the folder holds generator.py"),
}


@pytest.mark.parametrize("mistake", CODE_MISTAKES)
def test_each_mistake_in_code_is_found_by_a_trial_and_explained(tmp_path: Path, mistake: str) -> None:
    code, changes, said = CODE_MISTAKES[mistake]
    report = validate(write_code(tmp_path, code, **changes))
    assert any(said in str(problem) for problem in report.problems), report.problems
    assert len(report.problems) <= 2, report.problems


def test_faults_of_the_card_do_not_hide_faults_of_the_code_or_the_files(tmp_path: Path) -> None:
    code = NOISE.replace(".astype(np.float32)", "")
    report = validate(write_code(tmp_path / "code", code, licence="", colour="red"))
    assert {problem.what for problem in report.problems} >= {"is empty", "unknown key in the card", "wrong dtype"}
    report = validate(write_predictions(tmp_path / "files", [{"a": motion(9)[:, :3]}], name="a b", stochastic=False))
    assert [problem.what[:11] for problem in report.problems] == ["string shou", "wrong shape"]
    report = validate(write_code(tmp_path / "unknown", code, output="both"))
    assert len(report.problems) == 1 and "are checked once submission.toml is right" in report.notes[0]


def test_validation_tries_training_clips_and_both_kinds_of_track(tmp_path: Path) -> None:
    code = """
        import numpy as np
        from benchmark.protocol import Motion

        class Make:
            def __init__(self, training_clips):
                assert len(training_clips) == 2 and training_clips[0].parameters.shape[1] == 56

            def generate(self, conditions, seed):
                assert {c.audio is None for c in conditions} == {True, False} or len(conditions) == 1
                return [Motion(np.zeros((c.frames, 56), np.float32)) for c in conditions]
    """
    report = validate(write_code(tmp_path, code, needs_training_clips=True, tracks=["*"], stochastic=False))
    assert report.problems == []
    assert report.notes == ["the motion stands still for 4 of 4 trial conditions"]


def test_an_entry_that_is_told_the_track_is_tried_on_every_track_it_enters(tmp_path: Path) -> None:
    code = """
        import numpy as np
        from benchmark.protocol import Motion

        class Make:
            def __init__(self, track):
                self.audio = {"mini/talking@1": True, "mini/text2motion@1": False}[track]

            def generate(self, conditions, seed):
                assert all((c.audio is not None) == self.audio for c in conditions)
                rng = np.random.default_rng(0)
                return [Motion(rng.normal(0, 0.1, (c.frames, 56)).astype(np.float32)) for c in conditions]
    """
    report = validate(write_code(tmp_path, code, needs_track=True, tracks=["*"], stochastic=False))
    assert (report.problems, report.notes) == ([], [])
    broken = code.replace('"mini/text2motion@1"', '"mini/text2motion@9"')
    [problem] = validate(write_code(tmp_path, broken, needs_track=True, tracks=["*"], stochastic=False)).problems
    assert "KeyError: 'mini/text2motion@1'" in str(problem)


def test_predictions_cannot_be_told_the_track(tmp_path: Path) -> None:
    folder = write_predictions(tmp_path, [{"a": motion(9)}], needs_track=True)
    with pytest.raises(InputError, match="only code can be told the track"):
        load_submission(folder)


def test_all_mistakes_of_a_predictions_folder_are_told_at_once(tmp_path: Path) -> None:
    good = motion(9)
    samples: list[dict[str, Any]] = [
        {"a": good, "wide": good.astype(np.float64), "nan": np.full((9, 56), np.nan, np.float32)},
        {"a": good, "thin": good[:, :40], "objects": np.array([None, 1], object)},
    ]
    folder = write_predictions(tmp_path / "s", samples, tracks=["mini/talking@1", "mini/text2motion@1"])
    here = folder / "predictions" / "mini" / "talking@1"
    (here / "2.npz").write_bytes((here / "0.npz").read_bytes()[:700])
    (here / "4.npz").write_bytes(b"\x80\x04N.")
    (here / "readme.txt").write_text("x")
    text = "\n".join(map(str, validate(folder).problems))
    for said in (
        "wrong dtype", "NaN or infinite", "wrong shape", "Python objects", "truncated", "a pickle stands in place",
        "stray file", "not counted from 0", "no predictions for mini/text2motion@1", "not in every sample",
    ):  # fmt: skip
        assert said in text, said


def test_identical_samples_of_a_submission_declared_stochastic_are_a_problem(tmp_path: Path) -> None:
    same = {"a": motion(9), "b": motion(11)}
    [problem] = validate(write_predictions(tmp_path / "s", [same, same])).problems
    assert "identical" in problem.what
    report = validate(write_predictions(tmp_path / "d", [same, same], stochastic=False))
    assert report.ok and "only 0.npz is used" in report.notes[0]


def test_validation_loads_neither_torch_nor_transformers(tmp_path: Path) -> None:
    write_predictions(tmp_path / "s", [{"a": motion(9)}])
    script = (
        "import sys; from pathlib import Path; from benchmark.submission_check import validate;"
        f"validate(Path({str(tmp_path / 's')!r})); import benchmark.worker;"
        "print(sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
