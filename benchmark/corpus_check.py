"""Checks a whole corpus and collects everything that is wrong with it: listing, files, shapes, values, leaks."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.audio import read_recording
from benchmark.clip_files import POSE_LAYOUTS, MotionFile, read_motion, read_text
from benchmark.corpus import AUDIO_FOLDER, MOTION_FOLDER, TEXT_FOLDER, Corpus, open_corpus, short_audio
from benchmark.errors import InputError, Problem
from benchmark.protocol import EXPRESSION, JAW, MAX_FRAMES, NECK, TEXT_FIELDS, FloatArray
from benchmark.subsets import SPLITS
from benchmark.tracks import TASKS, Task

Level = Literal["error", "warning", "note"]
Progress = Callable[[int, int], None]

MAX_NECK, MAX_EXPRESSION = 1.0, 15.0
"""Largest plausible |neck| in radians and |expression|: real tracks stay under 0.6 and 4."""
JAW_RANGE = (-0.1, 0.5)
"""Where the jaw's opening angle lies in real tracks, in radians, with room for trackers that close it below zero."""


@dataclass(frozen=True)
class Finding(Problem):
    """A problem of a corpus and how much it matters."""

    level: Level = "error"
    """``error``: cannot be scored, or leaks; ``warning``: can be scored, but is implausible; ``note``: good to know."""
    leak: bool = False
    """Whether a score would be of motions that could have been trained on, rather than impossible."""


@dataclass(frozen=True)
class _Seen:
    """What stays of a clip after it was read, for the checks that look at all clips together."""

    digest: bytes
    """Of the parameters."""
    pose_values: int
    """Pose values a frame in its file."""
    frames: int
    jaw_outside: int
    """Frames whose jaw opening is outside ``JAW_RANGE``."""
    turn_sums: NDArray[np.float64]
    """(2, 2): sums of the sideways (y and z) angles and of their squares, of the jaw and of the neck."""


def _seen(motion: MotionFile) -> _Seen:
    parameters = motion.parameters
    digest = blake2b(np.ascontiguousarray(parameters).tobytes(), digest_size=16).digest()
    opening = parameters[:, JAW.start]
    outside = int(((opening < JAW_RANGE[0]) | (opening > JAW_RANGE[1])).sum())
    turns = [parameters[:, part][:, 1:].astype(np.float64) for part in (JAW, NECK)]
    sums = np.array([[turn.sum() for turn in turns], [(turn**2).sum() for turn in turns]])
    return _Seen(digest, motion.pose_values, len(parameters), outside, sums)


def verify(
    corpus: Corpus | Path,
    tasks: Collection[Task] | None = None,
    splits: Collection[str] | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """Checks everything about a corpus that can be checked without a model, and goes on after every fault.

    Args:
        corpus: A corpus, or the folder of one.
        tasks: Tasks whose clips are read; all the corpus has when None.
        splits: Splits whose clips are read; all when None. Leaks are sought among all that are listed.
        progress: Called with clips done and clips in all.

    Returns:
        Every finding, errors first; empty when all is well.

    Raises:
        InputError: The folder is no corpus at all.
    """
    findings: list[Finding] = []
    if isinstance(corpus, Path):
        corpus, problems = open_corpus(corpus)
        findings += _graded(problems, "error")
    tasks = [task for task in TASKS if task in corpus.subsets and (tasks is None or task in tasks)]
    splits = [split for split in SPLITS if splits is None or split in splits]
    findings += _listing(corpus)
    absent = _absent_folders(corpus, tasks)
    findings += _graded(absent.values(), "error")
    with_audio = set(corpus.clip_ids(["talking"], splits)) if "talking" in tasks else set()
    clip_ids = corpus.clip_ids(tasks, splits)
    seen: dict[str, _Seen] = {}
    for done, clip_id in enumerate(clip_ids):
        if progress:
            progress(done, len(clip_ids))
        findings += _clip(corpus, clip_id, clip_id in with_audio, absent, seen)
    if progress:
        progress(len(clip_ids), len(clip_ids))
    findings += _same_motion(corpus, seen)
    findings += _pose_order(corpus, seen)
    findings += _unlisted(corpus)
    order = {"error": 0, "warning": 1, "note": 2}
    return [_relative(f, corpus.path) for f in sorted(findings, key=lambda f: order[f.level])]


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that keep a corpus from being scored."""
    return [finding for finding in findings if finding.level == "error"]


def as_rows(findings: Sequence[Finding], each: int | None = 5) -> list[dict[str, str]]:
    """Findings as rows of one table.

    Args:
        findings: What ``verify`` returned.
        each: Rows shown of one kind of fault before the rest is counted in one row; all when None.

    Returns:
        Rows with the columns level, what, where, expected, got, mend.
    """
    kinds: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        kinds[finding.level, finding.what].append(finding)
    rows: list[dict[str, str]] = []
    for (level, what), found in kinds.items():
        shown = found if each is None or len(found) <= each + 1 else found[:each]
        names = ("level", "what", "where", "expected", "got", "mend")
        rows += [{name: getattr(finding, name) for name in names} for finding in shown]
        if len(found) > len(shown):
            rest = f"... and {len(found) - len(shown)} more"
            rows.append({"level": level, "what": what, "where": rest, "expected": "", "got": "", "mend": ""})
    return rows


def render(findings: Sequence[Finding], each: int | None = 5) -> str:
    """The table of ``as_rows`` as text, with a line of counts below it."""
    from tabulate import tabulate

    counts = {level: sum(f.level == level for f in findings) for level in ("error", "warning", "note")}
    summary = ", ".join(f"{n} {level}{'' if n == 1 else 's'}" for level, n in counts.items())
    if not findings:
        return summary
    widths = [None, 32, 44, 32, 32, 40]
    return tabulate(as_rows(findings, each), headers="keys", maxcolwidths=widths) + f"\n\n{summary}"


def _graded(problems: Iterable[Problem], level: Level) -> list[Finding]:
    return [Finding(**{f.name: getattr(problem, f.name) for f in fields(Problem)}, level=level) for problem in problems]


def _relative(finding: Finding, root: Path) -> Finding:
    where = finding.where.removeprefix(f"{root}/")
    values = {f.name: getattr(finding, f.name) for f in fields(Finding)}
    return Finding(**{**values, "where": where})


def _listing(corpus: Corpus) -> Iterator[Finding]:
    """Clips listed twice, in two splits of a task, or trained on for one task and tested in the other."""
    homes: dict[str, dict[Task, list[str]]] = defaultdict(dict)
    for task, subset in corpus.listed.items():
        if not subset.entries:
            yield Finding("the subset file lists no clips", task, "clips in train, val and test")
        for split, clip_id in subset.entries:
            homes[clip_id].setdefault(task, []).append(split)
    for clip_id, by_task in homes.items():
        for task, found in by_task.items():
            names = ", ".join(sorted(set(found), key=SPLITS.index))
            if len(set(found)) > 1:
                mend = "keep it in one of them"
                yield Finding("clip is in two splits", f"{task}, {clip_id}", "one split", names, mend, leak=True)
            elif len(found) > 1:
                got = f"{len(found)} times in {names}"
                yield Finding("clip is listed twice", f"{task}, {clip_id}", "once", got, level="warning")
        talking, text2motion = set(by_task.get("talking", ())), set(by_task.get("text2motion", ()))
        if ("train" in talking and "test" in text2motion) or ("test" in talking and "train" in text2motion):
            got = f"talking: {', '.join(sorted(talking))}; text2motion: {', '.join(sorted(text2motion))}"
            mend = "do not train one model on both tasks, or list the clip in the same split of both"
            what = "clip is trained on in one task and tested in the other"
            yield Finding(what, clip_id, "the same split in both tasks", got, mend, level="warning")


def _absent_folders(corpus: Corpus, tasks: Collection[Task]) -> dict[str, Problem]:
    """Folders that are not there at all: said once, not once a clip."""
    wanted = [MOTION_FOLDER, *(f"{TEXT_FOLDER}/{name}" for name in TEXT_FIELDS)]
    wanted += [AUDIO_FOLDER] if "talking" in tasks else []
    return {
        name: Problem("folder is missing", name, "one file a clip", mend="unpack the whole corpus")
        for name in wanted
        if not (corpus.path / name).is_dir()
    }


def _clip(
    corpus: Corpus, clip_id: str, with_audio: bool, absent: Collection[str], seen: dict[str, _Seen]
) -> Iterator[Finding]:
    """Everything that is wrong with one clip's own files."""
    frames = None
    if MOTION_FOLDER not in absent:
        path = corpus.motion_path(clip_id)
        try:
            motion = read_motion(path)
            seen[clip_id] = _seen(motion)
            frames = seen[clip_id].frames
            yield from _motion_values(str(path), motion.parameters, seen[clip_id].jaw_outside / frames)
        except InputError as error:
            yield from _graded(error.problems, "error")
    if with_audio and AUDIO_FOLDER not in absent:
        path = corpus.audio_path(clip_id)
        try:
            seconds = read_recording(path).seconds
            yield from _graded(short_audio(str(path), seconds, frames or 0), "error")
        except InputError as error:
            yield from _graded(error.problems, "error")
    yield from _texts(corpus, clip_id, absent)


def _texts(corpus: Corpus, clip_id: str, absent: Collection[str]) -> Iterator[Finding]:
    empty, read = [], 0
    for name, path in corpus.text_paths(clip_id).items():
        if f"{TEXT_FOLDER}/{name}" in absent:
            continue
        try:
            text = read_text(path)
            read += 1
            empty += [] if text else [name]
        except InputError as error:
            yield from _graded(error.problems, "error")
    if empty and len(empty) == read:
        yield Finding("clip has no text at all", clip_id, "five texts", "only empty files")
    elif empty:
        yield Finding("text is empty", clip_id, "one sentence or more", ", ".join(empty), level="warning")


def _motion_values(where: str, parameters: FloatArray, outside: float) -> Iterator[Finding]:
    """Length and plausibility of one motion that could be read."""
    if len(parameters) > MAX_FRAMES:
        got, mend = f"{len(parameters)} frames", "cut the clip, or take it out of the subset file"
        yield Finding("motion is too long", where, f"at most {MAX_FRAMES} frames", got, mend)
    expression, neck = float(np.abs(parameters[:, EXPRESSION]).max()), float(np.abs(parameters[:, NECK]).max())
    if neck > MAX_NECK:
        got, mend = f"{neck:.2f} rad", "check the order of posecodes and that angles are radians"
        yield Finding("neck angle is implausible", where, f"|neck| <= {MAX_NECK} rad", got, mend, level="warning")
    if expression > MAX_EXPRESSION:
        got, mend = f"{expression:.1f}", "check that expcodes are FLAME expression coefficients"
        expected = f"|expression| <= {MAX_EXPRESSION:g}"
        yield Finding("expression value is implausible", where, expected, got, mend, level="warning")
    if outside > 0.5:
        got, mend = f"{outside:.0%} of frames outside", "check the order of posecodes: neck first, then jaw"
        expected = f"jaw opening within {JAW_RANGE[0]} to {JAW_RANGE[1]} rad"
        yield Finding("jaw angle is implausible", where, expected, got, mend, level="warning")
    if len(parameters) > 1 and not np.ptp(parameters, axis=0).any():
        yield Finding("motion does not move", where, "frames that differ", f"{len(parameters)} equal", level="warning")


def _same_motion(corpus: Corpus, seen: dict[str, _Seen]) -> Iterator[Finding]:
    """One motion under two names: a leak when the names are in different splits."""
    split_of: dict[str, set[str]] = defaultdict(set)
    for subset in corpus.listed.values():
        for split, clip_id in subset.entries:
            split_of[clip_id].add(split)
    groups: dict[bytes, list[str]] = defaultdict(list)
    for clip_id, clip in seen.items():
        groups[clip.digest].append(clip_id)
    for names in groups.values():
        if len(names) > 1:
            splits = set().union(*(split_of[name] for name in names))
            level: Level = "error" if len(splits) > 1 else "warning"
            what = "one motion under several names" + (" in different splits" if len(splits) > 1 else "")
            got = ", ".join(f"{name} ({'/'.join(sorted(split_of[name]))})" for name in names[:4])
            mend = "keep one of them" + (f" ({len(names)} in all)" if len(names) > 4 else "")
            yield Finding(what, names[0], "a motion of its own for every clip", got, mend, level, leak=len(splits) > 1)


def _pose_order(corpus: Corpus, seen: dict[str, _Seen]) -> Iterator[Finding]:
    """Whether jaw and neck look exchanged over the whole corpus (jaws open and hardly turn), and the layouts seen."""
    if not seen:
        return
    frames, where = sum(clip.frames for clip in seen.values()), str(corpus.path)
    mend = "check the order of posecodes: neck in values 0-2, jaw in 3-5 (after the global rotation, if there is one)"
    outside = sum(clip.jaw_outside for clip in seen.values()) / frames
    if outside > 0.5:
        expected, got = "jaw x mostly within 0 to 0.4 rad", f"{outside:.0%} of frames outside {JAW_RANGE}"
        yield Finding("pose values may be in another order", where, expected, got, mend, level="warning")
    mean, square = np.sum([clip.turn_sums for clip in seen.values()], axis=0) / (2 * frames)
    jaw_turn, neck_turn = np.sqrt(np.maximum(square - mean**2, 0))
    if jaw_turn > max(0.1, 2 * neck_turn):
        got = f"sideways spread of {jaw_turn:.3f} rad in the jaw, {neck_turn:.3f} in the neck"
        what, expected = "jaw and neck may be exchanged", "necks that turn more than jaws"
        yield Finding(what, where, expected, got, mend, level="warning")
    layouts = Counter(clip.pose_values for clip in seen.values())
    got = ", ".join(f"{count} files of {n} ({POSE_LAYOUTS[n]})" for n, count in layouts.most_common())
    if len(layouts) > 1:
        yield Finding("pose layouts are mixed", MOTION_FOLDER, "one number of pose values", got, level="warning")
    elif 9 in layouts:
        yield Finding("global rotation is left out", MOTION_FOLDER, "posecodes of neck and jaw", got, level="note")


def _unlisted(corpus: Corpus) -> Iterator[Finding]:
    """Files that no subset file names: only counted, for a corpus may hold more than its benchmarks use."""
    listed = set(corpus.clip_ids())
    for folder, suffix in ((MOTION_FOLDER, ".pkl"), (AUDIO_FOLDER, ".wav")):
        extra = sorted(path.name for path in (corpus.path / folder).glob(f"*{suffix}") if path.stem not in listed)
        if extra:
            got = f"{len(extra)} files, e.g. {extra[0]}"
            yield Finding("files are in no split", folder, "files that a subset file names", got, level="note")
