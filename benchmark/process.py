"""A generator's process as seen from outside: start it, wait for its answers, stop it, whatever it does.

``start`` is the one place where a process begins: it gets folders and a command, so that a stronger sandbox can take
its place. Nothing the process says is parsed; arrays are checked before they are loaded.
"""

import json
import os
import signal
import site
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmark.errors import InputError, Problem
from benchmark.process_log import Log, last_lines
from benchmark.submission import Submission

POLL_SECONDS = 0.01
MAX_DEATHS = 3
"""A submission whose process dies this many times in a row without one answer is given up."""
_TEXT_BYTES = 8 * 1024
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH")
_PASSED_ON_PREFIXES = ("CUDA_", "NVIDIA_", "OMP_", "MKL_", "OPENBLAS_")


@dataclass(frozen=True)
class Room:
    """The folders a generator's process works with; it is told of no others."""

    submission: Path
    """The submission, to read."""
    bundle: Path
    """The conditions, to read."""
    outbox: Path
    """Where its answers go, to write."""
    scratch: Path
    """Its working, home and temporary folder, to write."""

    @classmethod
    def below(cls, folder: Path, submission: Path) -> "Room":
        """A room in an empty temporary folder; the bundle's folder is named but not made."""
        room = cls(submission, folder / "bundle", folder / "outbox", folder / "scratch")
        room.outbox.mkdir()
        room.scratch.mkdir()
        return room


@dataclass(frozen=True)
class Task:
    """One call of ``generate``: some clips of one sample."""

    name: str
    """Name of its answer in the outbox."""
    sample: int
    """Which of the K samples."""
    positions: tuple[int, ...]
    """Clips by their position in the bundle."""
    seed: int
    """Seed of the call."""
    clip_seeds: tuple[int, ...]
    """Seeds by clip, for when the clips are tried again one by one."""

    def one_by_one(self) -> list["Task"]:
        """The same clips as tasks of one clip each."""
        return [
            replace(self, name=f"{self.name}-{position}", positions=(position,), seed=seed, clip_seeds=(seed,))
            for position, seed in zip(self.positions, self.clip_seeds, strict=True)
        ]


@dataclass(frozen=True)
class Outcome:
    """What became of one task."""

    task: Task
    """The task."""
    file: Path | None
    """An npz nobody has checked yet, with one array a clip named by position; None if there was no answer."""
    errors: dict[int, str]
    """Texts left for clips without an array, by position: one word for the kind, then the explanation."""
    seconds: float
    """Wall time of the task."""
    fault: str = ""
    """``timeout`` or ``died`` when there was no answer."""
    explanation: str = ""
    """What to tell about the fault, with the last lines of the process's log."""


def environment(room: Room) -> dict[str, str]:
    """The environment of a generator's process: what Python, numpy and CUDA need, and nothing that names a corpus."""
    passed = {
        key: value for key, value in os.environ.items() if key in _PASSED_ON or key.startswith(_PASSED_ON_PREFIXES)
    }
    own = {key: str(room.scratch) for key in ("HOME", "TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME")}
    fixed = {
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    root = str(Path(__file__).resolve().parent.parent)
    found = {"PYTHONPATH": root} if root not in site.getsitepackages() else {}
    return {**passed, **own, **fixed, **found}


def start(room: Room, job: Path) -> "subprocess.Popen[bytes]":
    """Starts the worker in a session of its own, in the scratch folder, its output in a pipe.

    The parent's end of standard input stays open as long as the process may live.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-X", "faulthandler", "-m", "benchmark.worker", str(job)],
        cwd=room.scratch,
        env=environment(room),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        close_fds=True,
    )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Kills the process and its group at once; finished answers are whole because they were renamed into place."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


class Worker:
    """A running generator process with a list of tasks; a context manager that always stops it."""

    def __init__(self, submission: Submission, room: Room, tasks: Sequence[Task], log_file: Path, track: str) -> None:
        card = submission.card
        job = {
            "submission": str(room.submission),
            "entry": card.entry,
            "output": card.output,
            "needs_training_clips": card.needs_training_clips,
            **({"track": track} if card.needs_track else {}),
            "bundle": str(room.bundle),
            "outbox": str(room.outbox),
            "tasks": [asdict(task) for task in tasks],
        }
        for name in ("ready", "failed"):
            (room.outbox / f"{name}.txt").unlink(missing_ok=True)
        path = room.scratch.parent / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        self._room = room
        self._answered_ns = time.time_ns()
        self._log_file = log_file
        self._process = start(room, path)
        assert self._process.stdout is not None
        self.log = Log(self._process.stdout)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._process)
        self._log_file.write_text(self.log.text(), encoding="utf-8")

    def wait_ready(self, timeout: float) -> str:
        """Waits until the submission is built, and returns the heavy packages it loaded.

        Raises:
            InputError: It does not import, cannot be built, ends or takes too long; with the last lines it said.
        """
        ready, failed = self._room.outbox / "ready.txt", self._room.outbox / "failed.txt"
        fault = self._wait((ready, failed), timeout)
        where = str(self._room.submission)
        if failed.is_file():
            raise InputError(Problem("the entry cannot be built", where, got=last_lines(read_text(failed))))
        if fault:
            what = "the entry ends its process" if fault == "died" else f"the entry is not built after {timeout:g} s"
            raise InputError(Problem(what, where, "a generator", self.explain(fault)))
        self._answered_ns = ready.lstat().st_ctime_ns
        return read_text(ready)

    def wait(self, task: Task, timeout: float) -> Outcome:
        """Waits for the answer to one task, its timeout or the end of the process."""
        file = self._room.outbox / f"{task.name}.npz"
        fault = self._wait((file,), timeout)
        seconds = self._seconds_until(time.time_ns() if fault else file.lstat().st_ctime_ns)
        if fault:
            return Outcome(task, None, {}, seconds, fault, self.explain(fault))
        texts = {position: self._room.outbox / f"{task.name}.{position}.txt" for position in task.positions}
        errors = {position: read_text(path) for position, path in texts.items() if path.is_file()}
        return Outcome(task, file, errors, seconds)

    def _seconds_until(self, now_ns: int) -> float:
        """Seconds since the last answer, by when files appeared: the generator works on while answers are checked."""
        seconds = max(now_ns - self._answered_ns, 0) / 1e9
        self._answered_ns = now_ns
        return seconds

    def explain(self, fault: str) -> str:
        """How the process came to its end, with its last words."""
        if fault == "timeout":
            return f"no answer in time; last output: {self.log.last_lines() or 'none'}"
        code = self._process.poll() or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
        return f"the process {how}; last output: {self.log.last_lines() or 'none'}"

    def _wait(self, files: Sequence[Path], timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while True:
            ended = self._process.poll() is not None  # asked before looking, so that a last answer is not missed
            if any(file.is_file() for file in files):
                return ""
            if ended:
                return "died"
            if time.monotonic() > deadline:
                return "timeout"
            time.sleep(POLL_SECONDS)


def run_tasks(
    submission: Submission,
    room: Room,
    tasks: Sequence[Task],
    log: Path,
    timeout: float,
    start_timeout: float,
    on_ready: Callable[[str], None] | None = None,
    *,
    track: str = "",
) -> Generator[Outcome, None, None]:
    """Has a submission answer tasks, in order; close the iterator to stop early.

    When the process dies or hangs, a fresh one goes on: the clips of that task one by one, then the rest. After
    ``MAX_DEATHS`` deaths in a row the rest is given up with the same fault.

    Args:
        submission: A code submission.
        room: Its folders, the bundle written.
        tasks: What to ask.
        log: File that keeps what the process printed, size-limited.
        timeout: Seconds each task may take.
        start_timeout: Seconds the entry may take to be built.
        on_ready: Told once the entry is built, with the heavy packages it loaded.
        track: Track id with version, told to the entry if its card asks for it.

    Raises:
        InputError: The entry cannot be built.
    """
    left = deque(tasks)
    deaths = 0
    while left:
        with Worker(submission, room, list(left), log, track) as worker:
            loaded = worker.wait_ready(start_timeout)
            if on_ready is not None:
                on_ready(loaded)
            while left and not (outcome := worker.wait(left[0], timeout)).fault:
                left.popleft()
                deaths = 0
                yield outcome
        if not left:
            return
        deaths += 1
        task = left.popleft()
        if len(task.positions) > 1:
            left.extendleft(reversed(task.one_by_one()))
        else:
            yield outcome
        if deaths >= MAX_DEATHS:
            yield from (replace(outcome, task=task, seconds=0.0) for task in left)
            return


def read_text(path: Path) -> str:
    """The beginning of a text a process left, or nothing if it is no regular file."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_TEXT_BYTES).decode("utf-8", errors="replace")
