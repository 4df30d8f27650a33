"""A folder in the MMHead layout: the clips it lists, and each clip's texts, speech and motion, read when asked for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmark.audio import read_audio
from benchmark.clip_files import read_motion, read_texts
from benchmark.errors import InputError, Problem
from benchmark.protocol import FPS, SAMPLE_RATE, TEXT_FIELDS, Condition, FloatArray, Texts
from benchmark.storage import content_hash
from benchmark.subsets import Subset, clip_name_fault, read_subset
from benchmark.tracks import TASKS, Task

T = TypeVar("T")

SUBSET_FILES: dict[Task, str] = {"talking": "talking_subset.json", "text2motion": "t2m_subset.json"}
AUDIO_FOLDER, MOTION_FOLDER, TEXT_FOLDER = "audio", "facial_motion", "text_annotations"
SHORT_AUDIO_FRAMES = 1
"""Frames of 40 ms by which audio may fall short of its motion: the rounding of a cut to whole frames."""


@dataclass(frozen=True)
class Corpus:
    """A corpus on disk. Clips are read when asked for; only lengths and hashes are remembered."""

    path: Path
    """The folder."""
    subsets: dict[Task, dict[str, tuple[str, ...]]]
    """Clip ids by task and split (train, val, test), in the order of the subset file, each once."""
    listed: dict[Task, Subset] = field(repr=False)
    """The subset files as they are, repetitions kept."""
    _frames: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    _hashes: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    def clip_ids(self, tasks: Iterable[Task] = TASKS, splits: Iterable[str] = ("train", "val", "test")) -> list[str]:
        """Every clip of the chosen tasks and splits once, in the order of the subset files."""
        splits = tuple(splits)
        lists = [self.subsets[task].get(split, ()) for task in tasks if task in self.subsets for split in splits]
        return list(dict.fromkeys(clip_id for ids in lists for clip_id in ids))

    def motion_path(self, clip_id: str) -> Path:
        """Where the clip's motion lies."""
        return self.path / MOTION_FOLDER / f"{_checked(clip_id)}.pkl"

    def audio_path(self, clip_id: str) -> Path:
        """Where the clip's speech lies."""
        return self.path / AUDIO_FOLDER / f"{_checked(clip_id)}.wav"

    def text_paths(self, clip_id: str) -> dict[str, Path]:
        """Where the clip's five texts lie, by field."""
        return {name: self.path / TEXT_FOLDER / name / f"{_checked(clip_id)}.txt" for name in TEXT_FIELDS}

    def motion(self, clip_id: str) -> FloatArray:
        """The clip's true motion, (T, 56) float32: 50 expression, 3 neck, 3 jaw (axis-angle, radians).

        Raises:
            InputError: The file is missing or faulty.
        """
        parameters = read_motion(self.motion_path(clip_id)).parameters
        self._frames[clip_id] = len(parameters)
        return parameters

    def frames(self, clip_id: str) -> int:
        """Length of the clip in frames, at 25 a second.

        Raises:
            InputError: The motion is missing or faulty.
        """
        return self._frames[clip_id] if clip_id in self._frames else len(self.motion(clip_id))

    def texts(self, clip_id: str) -> Texts:
        """The clip's five texts.

        Raises:
            InputError: A file is missing or not UTF-8.
        """
        return read_texts(self.text_paths(clip_id))

    def audio(self, clip_id: str) -> FloatArray:
        """The clip's speech, whole as released: (S,) float32, mono, 16 kHz, in [-1, 1].

        Raises:
            InputError: The file is missing or no sound.
        """
        return read_audio(self.audio_path(clip_id))

    def condition(self, clip_id: str, with_audio: bool) -> Condition:
        """All a generator is told about the clip.

        Args:
            clip_id: The clip.
            with_audio: Whether the track gives speech.

        Returns:
            Texts, length and, if asked for, the whole speech, which may be longer than the motion.

        Raises:
            InputError: Any of its files is missing or faulty, or the speech ends more than one frame before the motion.
        """
        problems: list[Problem] = []
        texts = _attempt(lambda: self.texts(clip_id), problems)
        frames = _attempt(lambda: self.frames(clip_id), problems)
        audio = _attempt(lambda: self.audio(clip_id), problems) if with_audio else None
        if frames is not None and audio is not None:
            problems += short_audio(str(self.audio_path(clip_id)), len(audio) / SAMPLE_RATE, frames)
        if problems or texts is None or frames is None:
            raise InputError(problems)
        return Condition(clip_id, texts, audio, frames)

    def content_hash(self, clip_id: str) -> str:
        """SHA-256 over the bytes of the clip's files, whatever it is called. An absent file counts as absent."""
        if clip_id not in self._hashes:
            paths = (self.motion_path(clip_id), self.audio_path(clip_id), *self.text_paths(clip_id).values())
            parts = [path.read_bytes() if path.is_file() else "absent" for path in paths]
            self._hashes[clip_id] = content_hash(*parts)
        return self._hashes[clip_id]


def source_of(clip_id: str) -> str:
    """The recording or performer a clip was cut from: its id without the last part.

    >>> source_of("CELEBVHQ_--uyzf7X_0c_0"), source_of("MINI_p07_0123")
    ('CELEBVHQ_--uyzf7X_0c', 'MINI_p07')
    """
    return clip_id.rpartition("_")[0] or clip_id


def short_audio(where: str, seconds: float, frames: int) -> list[Problem]:
    """The problem that speech ends before its motion, or nothing. One frame (40 ms) is tolerated."""
    if seconds >= (frames - SHORT_AUDIO_FRAMES) / FPS:
        return []
    expected = f"{frames / FPS:.2f} s for {frames} frames, less one frame at most"
    mend = "cut the motion to the speech, or take the clip out of the subset file"
    return [Problem("audio is shorter than the motion", where, expected, f"{seconds:.2f} s", mend)]


def open_corpus(path: Path) -> tuple[Corpus, list[Problem]]:
    """Opens what can be opened of a corpus, and says what is wrong with its subset files.

    Args:
        path: The folder.

    Returns:
        The corpus of the usable entries, and every fault of the subset files.

    Raises:
        InputError: No folder, neither subset file, or none that can be read.
    """
    if not path.is_dir():
        raise InputError(Problem("no such corpus folder", str(path), "a folder in the MMHead layout"))
    listed: dict[Task, Subset] = {}
    problems: list[Problem] = []
    for task, name in SUBSET_FILES.items():
        if (path / name).exists():
            try:
                listed[task] = read_subset(path / name)
                problems += listed[task].problems
            except InputError as error:
                problems += error.problems
    if not listed:
        expected = f"{' or '.join(SUBSET_FILES.values())} beside {AUDIO_FOLDER}/, {MOTION_FOLDER}/, {TEXT_FOLDER}/"
        found = ", ".join(sorted(item.name for item in path.iterdir())[:10]) or "an empty folder"
        raise InputError(problems or Problem("the folder is no corpus", str(path), expected, found))
    return Corpus(path, {task: subset.splits() for task, subset in listed.items()}, listed), problems


def load_corpus(path: Path) -> Corpus:
    """Opens a corpus in the MMHead layout. Reads the subset files only; one of the two may be missing.

    Args:
        path: The folder.

    Returns:
        The corpus.

    Raises:
        InputError: The folder is no corpus, or a subset file has faults: all of them at once.
    """
    corpus, problems = open_corpus(path)
    if problems:
        raise InputError(problems)
    return corpus


def _checked(clip_id: str) -> str:
    """The id, if it is safe to make a path of: checked before any file is touched."""
    if fault := clip_name_fault(clip_id):
        raise InputError(Problem(f"clip name {fault}", ascii(clip_id)[:80], "a plain file name"))
    return clip_id


def _attempt(read: Callable[[], T], problems: list[Problem]) -> T | None:
    try:
        return read()
    except InputError as error:
        problems += error.problems
        return None
