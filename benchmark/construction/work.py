"""The work on single clips, in this process or in several."""

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from benchmark.audio import read_audio
from benchmark.clip_files import read_motion
from benchmark.construction.clip import clip_rng, construct_clip, pieces
from benchmark.construction.config import Config
from benchmark.construction.fingerprints import Fingerprint, fingerprint
from benchmark.construction.head_pose import STATES
from benchmark.construction.journal import Entry, Line
from benchmark.construction.layout import clip_paths, write_audio, write_motion, write_texts
from benchmark.construction.prompts import messages
from benchmark.construction.raw import RawFolder
from benchmark.construction.records import Constructed, Dropped
from benchmark.corpus import Corpus
from benchmark.errors import InputError
from benchmark.protocol import TEXT_FIELDS
from benchmark.storage import content_hash

RECIPE = "1"
"""Changes whenever the same raw clip would come out differently: finished clips are then made again."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_SPAWN = multiprocessing.get_context("spawn")
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class ClipTask:
    """Some raw clips to construct."""

    raw: RawFolder
    """With the records of these clips alone."""
    out: Path | None
    """Folder of the corpus; None to write nothing."""
    config: Config
    known: dict[str, Line]
    """What an earlier run made of them."""


def construct_some(task: ClipTask) -> list[Line]:
    """Constructs the clips of a task and writes them; one whose files and settings are unchanged is left as it is."""
    return [_construct(task, raw_id) for raw_id in task.raw.records]


def _construct(task: ClipTask, raw_id: str) -> Line:
    settings = Config.model_dump_json(task.config, include=set(task.config.clip_settings()))
    key = content_hash(RECIPE, settings, task.raw.content_hash(raw_id))
    before = task.known.get(raw_id)
    if before is not None and before.key == key and (task.out is None or _complete(task.out, before)):
        return before
    try:
        raw = task.raw.read(raw_id)
    except InputError as error:
        faults = "; ".join(str(problem).replace(f"{task.raw.path}/", "") for problem in error.problems)
        return Line(raw_id, key, (Entry(raw_id, "files cannot be read", faults),))
    entries = []
    for part in pieces(raw, task.config):
        made = construct_clip(part, task.config, clip_rng(task.config.seed, part.id))
        if isinstance(made, Dropped):
            entries.append(Entry(made.id, made.reason, made.detail, part.source, part.setting, part.actions))
            continue
        if task.out is not None:
            _write(task.out, made)
        entries.append(_entry(made, task.config))
    return Line(raw_id, key, tuple(entries))


def _write(out: Path, made: Constructed) -> None:
    write_motion(out, made.id, made.parameters)
    if made.audio is not None:
        write_audio(out, made.id, made.audio)
    write_texts(out, made.id, made.texts)


def _entry(made: Constructed, config: Config) -> Entry:
    evidence = made.evidence
    counts = Counter(evidence.head.states.tolist())
    fields = [field for field in TEXT_FIELDS if config.writer(field) == "llm"]
    hashes = [content_hash(made.parameters)]
    if made.audio is not None and made.audio.any():
        hashes.append(content_hash(made.audio))
    return Entry(
        id=made.id,
        source=made.source,
        setting=evidence.setting,
        actions=evidence.actions,
        emotions=tuple(dict.fromkeys(span.emotion for span in evidence.emotions)),
        has_audio=made.audio is not None,
        mended=asdict(made.mended),
        states={STATES[state]: counts[state] for state in sorted(counts)},
        hashes=tuple(hashes),
        texts={field: getattr(made.texts, field) for field in TEXT_FIELDS},
        prompts={field: messages(field, evidence) for field in fields},
        seconds={stage: round(value, 6) for stage, value in made.seconds.items()},
    )


def _complete(out: Path, line: Line) -> bool:
    kept = (entry for entry in line.entries if entry.kept)
    return all(path.is_file() for entry in kept for path in clip_paths(out, entry.id, audio=entry.has_audio))


@dataclass(frozen=True)
class PrintTask:
    """Some finished clips to take fingerprints of."""

    corpus: Path
    clips: tuple[tuple[str, bool], ...]
    """Clip ids, and whether they have sound."""


def print_some(task: PrintTask) -> dict[str, Fingerprint]:
    """Fingerprints of the clips of a task."""
    corpus = Corpus(task.corpus, {}, {})
    found = {}
    for clip_id, has_audio in task.clips:
        audio = read_audio(corpus.audio_path(clip_id)) if has_audio else None
        parameters = read_motion(corpus.motion_path(clip_id)).parameters
        found[clip_id] = fingerprint(parameters, audio, corpus.texts(clip_id).joined())
    return found


def run_all(work: Callable[[T], R], tasks: Sequence[T], workers: int) -> Iterator[R]:
    """Results of all tasks as they are done, in no order; in this process if one worker is asked for."""
    if workers <= 1 or len(tasks) <= 1:
        yield from map(work, tasks)
        return
    with _single_threaded(), ProcessPoolExecutor(workers, _SPAWN, _ignore_interrupts) as pool:
        waiting = iter(tasks)
        running: set[Future[R]] = set()
        try:
            for task in waiting:
                with _interrupts_held():
                    running.add(pool.submit(work, task))
                if len(running) >= 2 * workers:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _ignore_interrupts() -> None:
    """Ctrl-C is for the parent: it lets the clips in work be finished and keeps them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process started inside takes no Ctrl-C before it knows to ignore it; the parent takes it on leaving."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes that are started inside use one thread each: the cores are shared out already."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
