"""The generator's own process: builds a submission from a job file, answers its tasks, leaves arrays in the outbox.

Started by ``benchmark.process`` as ``python -m benchmark.worker JOB``. It knows the submission's folder, the bundle and
the outbox, and imports as little as possible, because a submission shares this process and its memory.
"""

import importlib
import json
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.bundle import Conditions, read_conditions, read_training
from benchmark.protocol import Condition, Motion

HEAVY = ("torch", "tensorflow", "jax", "transformers")
_ERROR_CHARACTERS = 4000


class InvalidOutputError(Exception):
    """``generate`` returned something that is no motion."""


class AbstainedError(Exception):
    """``generate`` returned None for a clip."""


def main(job_path: str) -> int:
    """Runs a job to its end. Returns the exit code: 0, or 3 when the submission could not be built."""
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    _leave_with_parent()
    outbox = Path(job["outbox"])
    try:
        generator = build(job)
    except (Exception, SystemExit):
        put(outbox, "failed", _last_traceback("the entry cannot be built"))
        return 3
    put(outbox, "ready", " ".join(name for name in HEAVY if name in sys.modules))
    conditions = read_conditions(Path(job["bundle"]))
    for task in job["tasks"]:
        answer(generator, conditions, task, job["output"], outbox)
    return 0


def build(job: dict[str, Any]) -> Any:
    """Imports the entry's module from the submission's folder and calls the entry with what its card asks for."""
    module, _, name = job["entry"].partition(":")
    sys.path.insert(0, job["submission"])
    entry = getattr(importlib.import_module(module), name)
    wanted: dict[str, Any] = {"track": job["track"]} if "track" in job else {}
    if job["needs_training_clips"]:
        wanted["training_clips"] = read_training(Path(job["bundle"]))
    generator = entry(**wanted)
    if not callable(getattr(generator, "generate", None)):
        raise TypeError(
            f"{job['entry']} gives a {type(generator).__name__} without a method generate(conditions, seed)"
        )
    return generator


def answer(generator: Any, conditions: Conditions, task: dict[str, Any], output: str, outbox: Path) -> None:
    """One task: the batch as a whole, and if that fails clip by clip, so that one bad clip costs no other."""
    positions: list[int] = task["positions"]
    answers: list[Any]
    try:
        answers = call(generator, [conditions[position] for position in positions], task["seed"])
    except (Exception, SystemExit) as error:
        _last_traceback(
            f"task {task['name']} failed" + (", its clips are tried one by one" if len(positions) > 1 else "")
        )
        seeds = zip(positions, task["clip_seeds"], strict=True)
        answers = [_alone(generator, conditions[p], seed) for p, seed in seeds] if len(positions) > 1 else [error]
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for position, value in zip(positions, answers, strict=True):
        try:
            arrays[str(position)] = _array(value, output)
        except Exception as error:
            put(outbox, f"{task['name']}.{position}", f"{_kind(error)}\n{_explain(error)}")
    _put_arrays(outbox / f"{task['name']}.npz", arrays)


def call(generator: Any, batch: Sequence[Condition], seed: int) -> list[Any]:
    """Calls ``generate`` and makes sure that it answers with as many things as it was asked."""
    answers = generator.generate(batch, seed)
    if not isinstance(answers, Sequence) or isinstance(answers, str | bytes):
        raise InvalidOutputError(f"generate returned a {type(answers).__name__}, expected a list of Motion")
    if len(answers) != len(batch):
        raise InvalidOutputError(f"generate returned {len(answers)} motions for {len(batch)} conditions")
    return list(answers)


def put(outbox: Path, name: str, text: str) -> None:
    """Leaves a text in the outbox, whole or not at all."""
    temporary = outbox / f".{name}.part"
    temporary.write_text(text, encoding="utf-8", errors="replace")
    temporary.replace(outbox / f"{name}.txt")


def _alone(generator: Any, condition: Condition, seed: int) -> Any:
    try:
        return call(generator, [condition], seed)[0]
    except (Exception, SystemExit) as error:
        return error


def _array(value: Any, output: str) -> np.ndarray[Any, Any]:
    """The array of an answer, or the reason why there is none as an exception."""
    if isinstance(value, SystemExit):
        raise RuntimeError(f"generate called sys.exit({value})") from value
    if isinstance(value, Exception):
        raise value
    if value is None:
        raise AbstainedError("generate returned None: it abstains from this clip")
    if not isinstance(value, Motion):
        raise InvalidOutputError(f"generate returned a {type(value).__name__}, expected a benchmark.protocol.Motion")
    array: Any = getattr(value, output)
    if array is None:
        raise InvalidOutputError(f"the motion has no {output}, which the card names as output")
    if not isinstance(array, np.ndarray):
        raise InvalidOutputError(f"{output} is a {type(array).__name__}, expected a numpy array")
    if array.dtype.hasobject:
        raise InvalidOutputError(f"{output} is an array of Python objects, expected float32")
    return array


def _kind(error: Exception) -> str:
    if isinstance(error, AbstainedError):
        return "abstained"
    return "invalid_output" if isinstance(error, InvalidOutputError) else "model_error"


def _explain(error: Exception) -> str:
    if isinstance(error, AbstainedError | InvalidOutputError):
        return str(error)
    return "".join(traceback.format_exception(error))[-_ERROR_CHARACTERS:]


def _last_traceback(about: str) -> str:
    """The exception being handled, also printed into the log."""
    text = traceback.format_exc()
    print(f"{about}\n{text}", file=sys.stderr, flush=True)  # noqa: T201
    return text[-_ERROR_CHARACTERS:]


def _put_arrays(path: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    temporary.replace(path)


def _leave_with_parent() -> None:
    """Ends this process when the parent ends: standard input is a pipe whose other end only the parent holds."""
    lifeline = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)

    def wait() -> None:
        while os.read(lifeline, 1):
            pass
        os._exit(4)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
