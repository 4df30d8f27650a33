"""Generation apart from the truth: nothing leaks in, only checked arrays come out, nothing finished is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.bundle import read_conditions, read_training, write_bundle
from benchmark.errors import InputError
from benchmark.isolation import LOG_NAME, PARTS_FOLDER, generate
from benchmark.predictions import RECORD_NAME, Predictions
from benchmark.protocol import Texts, TrainingClip
from benchmark.submission import load_submission
from tests.benchmark.submissions import NOISE, conditions, motion, write_code, write_predictions

CLIPS = ("a", "b", "c", "d", "e")
COUNTING = """
    import os
    import numpy as np
    from benchmark.protocol import Motion

    class Make:
        def generate(self, conditions, seed):
            with open({notes!r}, "a") as file:
                file.write(f"{{os.getpid()}} {{seed}} {{' '.join(c.clip_id for c in conditions)}}\\n")
            rng = np.random.default_rng(seed)
            return [Motion(rng.normal(0, 0.1, (c.frames, 56)).astype(np.float32)) for c in conditions]
"""


def run(folder: Path, out: Path, *names: str, **options: Any) -> Predictions:
    asked = {"track": "mini/talking@1", "split": "test", "samples": 2, "seed": 5, **options}
    return generate(load_submission(folder), conditions(*(names or CLIPS)), out, **asked)


def calls(notes: Path) -> list[str]:
    """Clips of each call of generate, in order."""
    return [" ".join(line.split()[2:]) for line in notes.read_text().splitlines()] if notes.exists() else []


@pytest.fixture
def counting(tmp_path: Path) -> tuple[Path, Path]:
    """A submission that notes its calls, two clips a batch, and the file of its notes."""
    notes = tmp_path / "notes.txt"
    return write_code(tmp_path / "s", COUNTING.format(notes=str(notes)), batch_size=2), notes


def test_motions_come_back_in_batches_of_frozen_order_with_a_record(
    counting: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, notes = counting
    seen: list[tuple[int, int]] = []
    predictions = run(folder, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert predictions.complete and predictions.counts()["ok"] == 10
    assert calls(notes) == ["a b", "c d", "e"] * 2
    assert seen[0] == (0, 10) and seen[-1] == (10, 10)
    record = predictions.record
    assert record is not None and record.isolation == "process" and record.samples == 2
    assert list(record.frames.items()) == [("a", 10), ("b", 11), ("c", 12), ("d", 13), ("e", 14)]
    assert len(set(record.seeds)) == 2 and record.seconds and record.real_time_factor
    seeds = [line.split()[1] for line in notes.read_text().splitlines()]
    assert len(set(seeds)) == 6 and all(0 <= int(seed) < 2**31 for seed in seeds)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0.npz", "1.npz", RECORD_NAME, LOG_NAME}


def test_the_same_seed_gives_the_same_bytes_another_seed_others(tmp_path: Path) -> None:
    folder = write_code(tmp_path / "s")
    files = [run(folder, tmp_path / str(i), seed=seed).folder / "1.npz" for i, seed in enumerate((5, 5, 6))]
    first, again, other = (path.read_bytes() for path in files)
    assert first == again != other


def test_a_deterministic_submission_makes_one_sample_and_older_ones_are_removed(tmp_path: Path) -> None:
    run(write_code(tmp_path / "s"), tmp_path / "out", samples=3)
    code = NOISE.replace("(seed)", "(1)")
    assert run(write_code(tmp_path / "s", code, stochastic=False), tmp_path / "out", samples=3).samples == 1
    assert [path.name for path in (tmp_path / "out").glob("*.npz")] == ["0.npz"]


MIXED = """
    import numpy as np
    from benchmark.protocol import Motion

    def answer(c):
        good = np.full((c.frames, 56), 0.1, np.float32)
        match c.clip_id:
            case "raises": raise ValueError("cannot do this one")
            case "exits": raise SystemExit(5)
            case "nan": good[3, 3] = np.nan
            case "short": good = good[:-1]
            case "float64": good = good.astype(float)
            case "objects": good = np.array([object()])
            case "abstains": return None
            case "bare": return good
            case "list": return Motion(good.tolist())
            case "vertices": return Motion(vertices=good)
        return Motion(good)

    class Make:
        def generate(self, conditions, seed):
            print("hello from generate")
            return [answer(c) for c in conditions]
"""
EXPECTED = {
    "good": ("ok", ""),
    "raises": ("model_error", "ValueError: cannot do this one"),
    "exits": ("model_error", "sys.exit(5)"),
    "nan": ("invalid_output", "NaN or infinite"),
    "short": ("invalid_output", "another length"),
    "float64": ("invalid_output", "wrong dtype"),
    "objects": ("invalid_output", "Python objects"),
    "abstains": ("abstained", ""),
    "bare": ("invalid_output", "expected a benchmark.protocol.Motion"),
    "list": ("invalid_output", "parameters is a list"),
    "vertices": ("invalid_output", "the motion has no parameters"),
    "last": ("ok", ""),
}


def test_a_bad_clip_costs_that_clip_only_with_its_status_and_reason(tmp_path: Path) -> None:
    predictions = run(write_code(tmp_path / "s", MIXED, stochastic=False), tmp_path / "out", *EXPECTED)
    assert {clip: row[0] for clip, row in predictions.status.items()} == {c: s for c, (s, _) in EXPECTED.items()}
    text = {problem.where.partition(",")[0]: str(problem) for problem in predictions.problems}
    for clip, (_, said) in EXPECTED.items():
        assert said in text.get(clip, ""), text
    assert predictions.valid_clips == ["good", "last"] and not predictions.complete
    log = (tmp_path / "out" / LOG_NAME).read_text()
    assert "hello from generate" in log and "cannot do this one" in log


def test_a_process_that_dies_or_hangs_costs_that_clip_only(tmp_path: Path) -> None:
    code = """
        import os, time
        import numpy as np
        from benchmark.protocol import Motion

        class Make:
            def generate(self, conditions, seed):
                for c in conditions:
                    if c.clip_id == "dies":
                        print("so long")
                        os._exit(7)
                    if c.clip_id == "hangs":
                        time.sleep(600)
                return [Motion(np.zeros((c.frames, 56), np.float32)) for c in conditions]
    """
    folder = write_code(tmp_path / "s", code, stochastic=False, batch_size=3)
    predictions = run(folder, tmp_path / "out", "a", "dies", "b", "c", "hangs", "d", timeout=1.0)
    assert {clip: row[0] for clip, row in predictions.status.items()} == {
        **dict.fromkeys("abcd", "ok"), "dies": "model_error", "hangs": "timeout",
    }  # fmt: skip
    text = "\n".join(map(str, predictions.problems))
    assert "exited with 7" in text and "so long" in text and "took too long" in text


def test_a_submission_that_always_dies_is_given_up_and_every_clip_says_why(tmp_path: Path) -> None:
    code = NOISE.replace("rng = ", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV); rng = ")
    predictions = run(write_code(tmp_path / "s", code, batch_size=1), tmp_path / "out", samples=40)
    assert predictions.counts() == {**dict.fromkeys(predictions.counts(), 0), "model_error": 200}
    assert "SIGSEGV" in predictions.problems[0].got and len(predictions.problems) < 20


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("import os; print('bye'); os._exit(0)", "bye"),
        ("import time; time.sleep(600)", "not built after 1 s"),
    ],
)
def test_an_entry_that_cannot_be_built_is_an_input_error(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        run(write_code(tmp_path / "s", code), tmp_path / "out", start_timeout=1)
    assert said in str(caught.value)


def interrupt(after: int) -> Any:
    def progress(done: int, _: int) -> None:
        if done >= after:
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_run_stops_its_process_keeps_what_is_finished_and_goes_on_from_there(
    counting: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, notes = counting
    with pytest.raises(KeyboardInterrupt):
        run(folder, tmp_path / "out", progress=interrupt(after=4))
    with pytest.raises(ProcessLookupError):
        os.kill(int(notes.read_text().split()[0]), 0)
    assert len(list((tmp_path / "out" / PARTS_FOLDER).rglob("*.npz"))) == 2
    notes.unlink()
    assert run(folder, tmp_path / "out").complete
    assert calls(notes) == ["e", "a b", "c d", "e"]
    unbroken = run(folder, tmp_path / "whole")
    for name in ("0.npz", "1.npz"):
        assert (tmp_path / "out" / name).read_bytes() == (unbroken.folder / name).read_bytes()


def test_a_finished_run_is_reused_only_while_everything_it_depends_on_is_the_same(
    counting: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, notes = counting
    out = tmp_path / "out"
    first = run(folder, out).sha256()

    def calls_of(**options: Any) -> int:
        notes.unlink(missing_ok=True)
        run(folder, out, *options.pop("names", CLIPS), **options)
        return len(calls(notes))

    assert calls_of() == 0
    assert calls_of(seed=6) == 6 and calls_of() == 6
    assert calls_of(names=("a", "b", "x")) == 4 and calls_of() == 6
    (folder / "weights.txt").write_text("1")
    assert calls_of() == 6
    (out / "1.npz").write_bytes((out / "0.npz").read_bytes())
    assert calls_of() == 6, "a file that is not what was written is made anew"
    (out / RECORD_NAME).write_text("{}")
    assert calls_of() == 6
    assert run(folder, out).sha256() == first


def test_a_damaged_part_is_made_again_and_a_part_of_other_code_is_not_used(
    counting: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, notes = counting
    with pytest.raises(KeyboardInterrupt):
        run(folder, tmp_path / "out", progress=interrupt(after=6))
    [broken] = (tmp_path / "out" / PARTS_FOLDER).rglob("0-1.npz")
    content = bytearray(broken.read_bytes())
    content[300] ^= 255
    broken.write_bytes(content)
    notes.unlink()
    assert run(folder, tmp_path / "out").complete
    assert calls(notes) == ["c d", "c d", "e"]
    with pytest.raises(KeyboardInterrupt):
        run(folder, tmp_path / "out", seed=9, progress=interrupt(after=6))
    notes.unlink()
    (folder / "weights.txt").write_text("1")
    run(folder, tmp_path / "out", seed=9)
    assert len(calls(notes)) == 6


def test_clips_that_failed_are_tried_again_finished_ones_are_not(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    code = COUNTING.format(notes=str(notes)).replace("rng =", "assert all(c.clip_id != 'c' for c in conditions); rng =")
    folder = write_code(tmp_path / "s", code, batch_size=2)
    first = run(folder, tmp_path / "out", samples=1)
    assert first.status["c"] == ["model_error"] and calls(notes) == ["a b", "c d", "c", "d", "e"]
    notes.unlink()
    again = run(folder, tmp_path / "out", samples=1)
    assert again.status == first.status and calls(notes) == ["c"]


def test_the_bundle_holds_conditions_and_training_clips_and_nothing_else(tmp_path: Path) -> None:
    training = [
        TrainingClip("t", Texts("x", "", "", "", ""), motion(7)),
        TrainingClip("u", Texts(*"abcde"), motion(9, 1)),
    ]
    bundle = write_bundle(tmp_path / "bundle", conditions("a", "b"), training_clips=training)
    files = sorted(path.relative_to(bundle.folder).as_posix() for path in bundle.folder.rglob("*") if path.is_file())
    assert files == ["audio/0.npy", "audio/1.npy", "conditions.json", "training.json", "training.npy"]
    assert not any(path.is_symlink() for path in bundle.folder.rglob("*"))
    entry = json.loads((bundle.folder / "conditions.json").read_text())[0]
    assert set(entry) == {"clip_id", "texts", "audio", "frames", "fps"}
    for position, condition in enumerate(conditions("a", "b")):
        copied = read_conditions(bundle.folder)[position]
        assert copied.audio is not None and condition.audio is not None
        np.testing.assert_array_equal(copied.audio, condition.audio)
        assert (copied.clip_id, copied.texts, copied.frames, copied.fps) == (
            condition.clip_id,
            condition.texts,
            condition.frames,
            25,
        )
    for clip, told in zip(training, read_training(bundle.folder), strict=True):
        assert (clip.clip_id, clip.texts) == (told.clip_id, told.texts)
        np.testing.assert_array_equal(clip.parameters, told.parameters)


def test_the_bundle_hash_follows_everything_a_generator_sees(tmp_path: Path) -> None:
    training = [TrainingClip("t", Texts("x", "", "", "", ""), motion(7))]
    bundles = [
        write_bundle(tmp_path / "0", conditions("a", "b")),
        write_bundle(tmp_path / "1", conditions("b", "a")),
        write_bundle(tmp_path / "2", conditions("a")),
        write_bundle(tmp_path / "3", conditions("a", "b", frames=11)),
        write_bundle(tmp_path / "4", conditions("a", "b"), ["text"]),
        write_bundle(tmp_path / "5", conditions("a", "b"), ["audio"]),
        write_bundle(tmp_path / "6", conditions("a", "b"), training_clips=training),
    ]
    hashes = [bundle.sha256 for bundle in bundles]
    assert len(set(hashes)) == len(hashes)
    assert write_bundle(tmp_path / "again", conditions("a", "b")).sha256 == hashes[0]


SPY = """
    import os, sys
    import numpy as np
    from benchmark.protocol import Motion

    class Make:
        def __init__(self, training_clips):
            self.training = training_clips

        def generate(self, conditions, seed):
            for name, value in os.environ.items():
                print("environment", name, value)
            print("arguments", open("/proc/self/cmdline").read().split(chr(0)), "in", os.getcwd())
            for name in os.listdir("/proc/self/fd"):
                print("descriptor", os.path.realpath(f"/proc/self/fd/{name}"))
            print("job", open(sys.argv[1]).read())
            unwanted = {"torch", "pydantic", "scipy", "evaluators", "benchmark.corpus"}
            print("modules", sorted(unwanted & set(sys.modules)))
            print("audio", [c.audio for c in conditions], "texts", [c.texts.action for c in conditions])
            print("training", [(c.clip_id, c.parameters.shape) for c in self.training])
            print("stdin", repr(sys.stdin.read()))
            return [Motion(np.zeros((c.frames, 56), np.float32)) for c in conditions]
"""


def test_a_generators_process_is_told_of_no_corpus_and_of_no_input_its_card_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = tmp_path / "the_corpus"
    corpus.mkdir()
    for name in ("MMBENCH_HOME", "CORPUS", "PYTHONSTARTUP", "PWD", "HOME"):
        monkeypatch.setenv(name, str(corpus))
    monkeypatch.chdir(corpus)
    folder = write_code(tmp_path / "s", SPY, stochastic=False, needs_training_clips=True, inputs=["text"])
    training = [TrainingClip("t", Texts("x", "", "", "", ""), motion(7))]
    with (corpus / "truth.npy").open("wb"):
        assert run(folder, tmp_path / "out", "a", "b", training_clips=lambda: training).complete
    log = (tmp_path / "out" / LOG_NAME).read_text()
    assert "the_corpus" not in log and "truth" not in log
    assert "modules []" in log and "stdin ''" in log
    assert "audio [None, None] texts ['says a', 'says b']" in log
    assert "training [('t', (7, 56))]" in log


def test_training_clips_are_read_only_for_those_who_need_them(tmp_path: Path) -> None:
    def refuse() -> list[TrainingClip]:
        raise AssertionError("read in vain")

    assert run(write_code(tmp_path / "s"), tmp_path / "out", training_clips=refuse).complete
    with pytest.raises(InputError, match="needs training clips"):
        run(write_code(tmp_path / "t", needs_training_clips=True), tmp_path / "out")


TOLD = """
    import numpy as np
    from benchmark.protocol import Motion

    class Make:
        def __init__(self, **told):
            print("told", {key: told[key] if key == "track" else len(told[key]) for key in sorted(told)})

        def generate(self, conditions, seed):
            return [Motion(np.zeros((c.frames, 56), np.float32)) for c in conditions]
"""


def test_the_track_is_told_to_those_who_ask_for_it_beside_training_clips_or_alone(tmp_path: Path) -> None:
    def told(name: str, **card: bool) -> str:
        folder = write_code(tmp_path / name, TOLD, stochastic=False, **card)
        training = [TrainingClip("t", Texts("x", "", "", "", ""), motion(7))]
        out = tmp_path / f"{name}-out"
        predictions = run(folder, out, "a", track="mini/text2motion@1", training_clips=lambda: training)
        assert predictions.complete and predictions.record is not None
        assert ("needs_track" in predictions.record.card) == card.get("needs_track", False)
        return (out / LOG_NAME).read_text()

    assert told("nothing") == "told {}\n"
    assert told("track", needs_track=True) == "told {'track': 'mini/text2motion@1'}\n"
    both = told("both", needs_track=True, needs_training_clips=True)
    assert both == "told {'track': 'mini/text2motion@1', 'training_clips': 1}\n"


def test_a_flood_of_output_neither_blocks_nor_fills_the_log(tmp_path: Path) -> None:
    code = NOISE.replace("rng =", "print('x' * 5_000_000); print('the end'); rng =")
    assert run(write_code(tmp_path / "s", code), tmp_path / "out", "a").complete
    log = (tmp_path / "out" / LOG_NAME).read_text()
    assert len(log) < 100_000 and "bytes dropped" in log and log.endswith("the end\n")


def test_vertices_are_accepted_in_the_number_the_head_has(tmp_path: Path) -> None:
    code = NOISE.replace("(c.frames, 56)", "(c.frames, 12, 3)").replace("Motion(", "Motion(vertices=")
    folder = write_code(tmp_path / "s", code, output="vertices")
    assert run(folder, tmp_path / "out", "a", n_region=12).array(1, "a").shape == (10, 12, 3)
    wrong = run(folder, tmp_path / "out", "a", n_region=13)
    assert wrong.status == {"a": ["invalid_output"] * 2} and "float32 (10, 13, 3)" in wrong.problems[0].expected


def test_predictions_submissions_are_checked_and_copied_by_the_same_rules(tmp_path: Path) -> None:
    samples = [{"a": motion(10, k), "b": motion(11, k), "x": motion(10)} for k in range(2)]
    samples[1]["b"] = motion(12)
    predictions = run(write_predictions(tmp_path / "s", samples), tmp_path / "out", "a", "b", "c")
    assert predictions.status == {"a": ["ok", "ok"], "b": ["ok", "invalid_output"], "c": ["invalid_output"] * 2}
    assert sorted(problem.what for problem in predictions.problems) == [
        "another length than its condition", "extra clip", "extra clip", "missing clip", "missing clip",
    ]  # fmt: skip
    assert predictions.record is not None and predictions.record.isolation == "predictions"
    np.testing.assert_array_equal(predictions.array(1, "a"), samples[1]["a"])
    with pytest.raises(InputError, match="no such predictions folder"):
        run(tmp_path / "s", tmp_path / "out", track="mini/text2motion@1")


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_generators_process_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    code = f"""
        import os, time
        class Make:
            def generate(self, conditions, seed):
                open({str(marker)!r}, "w").write(str(os.getpid()))
                time.sleep(600)
    """
    folder = write_code(tmp_path / "s", code)
    script = (
        "from pathlib import Path; from tests.benchmark.test_isolation import run;"
        f"run(Path({str(folder)!r}), Path({str(tmp_path / 'out')!r}))"
    )
    root = Path(__file__).parent.parent.parent
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=root)
    deadline = time.monotonic() + 20
    while not (marker.exists() and marker.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    child = int(marker.read_text())
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists()
