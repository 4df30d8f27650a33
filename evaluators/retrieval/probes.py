"""Probes: the truth altered in one way, to see what a retrieval evaluator is blind to.

All motions of a split (or all texts) are altered in the same way; what is lost in R-precision, over the clips that the
alteration concerns, is what the evaluator saw of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from benchmark.corpus import Corpus, source_of
from benchmark.head import HeadModel
from benchmark.protocol import NECK, FloatArray, Texts
from evaluators.retrieval import concerns
from evaluators.retrieval.mirror import mirror_columns, mirrored_neck, mirrored_vertices
from evaluators.retrieval.preparation import vertices_of

NOISE = 0.1
"""Standard deviations of each parameter over the split."""
SHIFTS = (2, 4, 6, 8, 10)
"""Frames of 40 ms."""
ALL = "all clips"
_TURNED = {"turned left", "turned right", "tilted left", "tilted right"}


@dataclass(frozen=True)
class Shown:
    """One motion as an evaluator is shown it."""

    vertices: FloatArray
    """(T, n_face, 3) metres, neck at zero."""
    neck: FloatArray
    """(T, 3) radians."""


@dataclass(frozen=True)
class Truth:
    """The clips of one split, from which altered ones are made."""

    corpus: Corpus = field(repr=False)
    ids: tuple[str, ...]
    head: HeadModel = field(repr=False)
    seed: int = 0
    """Of noise and partners."""

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def motions(self) -> list[FloatArray]:
        """(T, 56) FLAME parameters a clip."""
        return [self.corpus.motion(clip_id) for clip_id in self.ids]

    @cached_property
    def texts(self) -> list[Texts]:
        """The annotations of each clip."""
        return [self.corpus.texts(clip_id) for clip_id in self.ids]

    @cached_property
    def deviations(self) -> FloatArray:
        """(56,) standard deviation of each parameter over all frames."""
        return np.asarray(np.concatenate(self.motions).std(0, dtype=np.float64), dtype=np.float32)

    @cached_property
    def neutral(self) -> FloatArray:
        """(n_face, 3) metres: the head's neutral face."""
        return np.asarray(self.head.template[self.head.face_ids], dtype=np.float32)

    @cached_property
    def mirror(self) -> NDArray[np.intp]:
        """(n_face,) column of each face vertex's mirror image."""
        return mirror_columns(self.head)

    @cached_property
    def partners(self) -> NDArray[np.intp]:
        """(N,) for each clip one of other emotions, or itself."""
        return concerns.emotion_partners(self.texts, self.seed)

    @cached_property
    def others(self) -> NDArray[np.intp]:
        """(N,) for each clip another one, at random."""
        order = np.random.default_rng([self.seed, 9]).permutation(len(self))
        others = np.empty_like(order)
        others[order] = np.roll(order, 1)
        return others

    @cached_property
    def siblings(self) -> NDArray[np.intp]:
        """(N,) for each clip the next one of the same performer or source video, or itself."""
        groups: dict[str, list[int]] = {}
        for index, clip_id in enumerate(self.ids):
            groups.setdefault(source_of(clip_id), []).append(index)
        siblings = np.arange(len(self))
        for group in groups.values():
            siblings[group] = np.roll(group, 1)
        return siblings

    def shown(self, index: int) -> Shown:
        """The true motion of the clip at an index."""
        return self.show(self.motions[index])

    def show(self, motion: FloatArray) -> Shown:
        """FLAME parameters (T, 56) as an evaluator is shown them."""
        return Shown(vertices_of(self.head, motion), np.ascontiguousarray(motion[:, NECK]))


Alter = Callable[[Truth, int, Shown], Shown]
"""From the split, a clip's index and its true motion to the altered one."""
Select = Callable[[Truth], NDArray[np.bool_]]
"""Which clips are concerned, (N,)."""


@dataclass(frozen=True)
class Requirement:
    """What the loss of R@1 over the concerned clips must be for the evaluators of the embedded benchmark.

    Or what an alteration must do to distances, where rankings cannot see it.
    """

    at_least: float | None = None
    more_than: float | None = None
    at_most: float | None = None
    grows_from: str | None = None
    """A probe of a smaller alteration, which must cost less."""
    distance_grows: float | None = None
    """By how much at least the mean distance of what belongs together must grow, over all clips."""

    def met(self, loss: float, losses: Mapping[str, float | None], growth: float = 0.0) -> bool:
        """Whether a probe is as required.

        Args:
            loss: Of R@1.
            losses: Those of the other probes by name.
            growth: Of the mean distance.
        """
        smaller = losses.get(self.grows_from) if self.grows_from else None
        return (
            (self.at_least is None or loss >= self.at_least)
            and (self.more_than is None or loss > self.more_than)
            and (self.at_most is None or loss <= self.at_most)
            and (self.grows_from is None or (smaller is not None and loss > smaller))
            and (self.distance_grows is None or growth >= self.distance_grows)
        )

    def __str__(self) -> str:
        bounds = ((">=", self.at_least), (">", self.more_than), ("<=", self.at_most))
        words = [f"{sign} {bound:g}" for sign, bound in bounds if bound is not None]
        words += [f"> {self.grows_from.replace('_', ' ')}"] if self.grows_from else []
        return ", ".join(words + ([] if self.distance_grows is None else [f"distance + {self.distance_grows:g}"]))


@dataclass(frozen=True)
class Probe:
    """One alteration."""

    name: str
    what: str
    """What is done to every clip."""
    alter: Alter | None
    """None where the texts are altered."""
    retell: Callable[[Truth], list[Texts]] | None = None
    """Gives the altered texts of all clips."""
    concerned: str = ALL
    select: Select | None = None
    """None for all clips."""
    required: Requirement | None = None


def _neck_zeroed(_truth: Truth, _index: int, shown: Shown) -> Shown:
    return replace(shown, neck=np.zeros_like(shown.neck))


def _neck_mirrored(_truth: Truth, _index: int, shown: Shown) -> Shown:
    return replace(shown, neck=mirrored_neck(shown.neck))


def _mirrored(truth: Truth, _index: int, shown: Shown) -> Shown:
    return Shown(mirrored_vertices(shown.vertices, truth.neutral, truth.mirror), mirrored_neck(shown.neck))


def _time_reversed(_truth: Truth, _index: int, shown: Shown) -> Shown:
    return Shown(shown.vertices[::-1], shown.neck[::-1])


def _half_amplitude(truth: Truth, _index: int, shown: Shown) -> Shown:
    return Shown((shown.vertices + truth.neutral) / np.float32(2), shown.neck / np.float32(2))


def _static(_truth: Truth, _index: int, shown: Shown) -> Shown:
    def still(values: FloatArray) -> FloatArray:
        return np.broadcast_to(values.mean(0), values.shape)

    return Shown(still(shown.vertices), still(shown.neck))


def _noisy(truth: Truth, index: int, _shown: Shown) -> Shown:
    motion = truth.motions[index]
    noise = np.random.default_rng([truth.seed, 7, index]).standard_normal(motion.shape, dtype=np.float32)
    return truth.show(motion + np.float32(NOISE) * truth.deviations * noise)


def _shifted(_truth: Truth, _index: int, shown: Shown, frames: int) -> Shown:
    """Late by so many frames, early where they are negative; the first or last frame is held."""
    source = np.clip(np.arange(len(shown.neck)) - frames, 0, len(shown.neck) - 1)
    return Shown(shown.vertices[source], shown.neck[source])


def _of_another(truth: Truth, index: int, _shown: Shown) -> Shown:
    return truth.shown(int(truth.others[index]))


def _of_the_same_source(truth: Truth, index: int, _shown: Shown) -> Shown:
    return truth.shown(int(truth.siblings[index]))


def _has_a_sibling(truth: Truth) -> NDArray[np.bool_]:
    return np.asarray(truth.siblings != np.arange(len(truth)), dtype=bool)


def _emotions_swapped(truth: Truth) -> list[Texts]:
    pairs = zip(truth.texts, (truth.texts[other] for other in truth.partners), strict=True)
    return [replace(own, emotion=other.emotion, emotion_scenario=other.emotion_scenario) for own, other in pairs]


def _heads_leave(truth: Truth, states: Callable[[frozenset[str]], bool]) -> NDArray[np.bool_]:
    return np.array([states(concerns.head_states(motion[:, NECK])) for motion in truth.motions], dtype=bool)


def _told(truth: Truth, tells: Callable[[Texts], bool]) -> NDArray[np.bool_]:
    return np.array([tells(texts) for texts in truth.texts], dtype=bool)


def _another_emotion(truth: Truth) -> NDArray[np.bool_]:
    return np.asarray(truth.partners != np.arange(len(truth)), dtype=bool)


_ORDER_LOSS, _CLEARLY = Requirement(at_least=0.15), Requirement(more_than=0.05)
_LATE = "every motion {} frames late, the first frame held"
_EARLY = "every motion {} frames early, the last frame held"


def _shift(frames: int) -> Probe:
    """A shift probe; a larger shift must cost more than the next smaller one."""
    side, what = ("late", _LATE) if frames > 0 else ("early", _EARLY)
    size = abs(frames)
    smaller = [other for other in SHIFTS if other < size]
    required = Requirement(at_least=0.15, grows_from=f"{side}_{smaller[-1]}") if smaller else Requirement(more_than=0.0)
    return Probe(f"{side}_{size}", what.format(size), partial(_shifted, frames=frames), required=required)


_REVERSED = Probe("time_reversed", "every motion played backwards", _time_reversed, required=_ORDER_LOSS)
_HALF = Probe("half_amplitude", "every face half way to neutral, the neck halved", _half_amplitude, required=_CLEARLY)
_HALF_HEARD = replace(
    _HALF,
    what=f"{_HALF.what}; where all speech is embedded at one length, R@1 goes by direction and only distance tells",
    required=Requirement(distance_grows=0.05),
)
_STATIC = Probe("static", "every clip's mean face and head pose, unmoving", _static, required=_CLEARLY)
_NOISE = Probe(
    "noise_0.1",
    f"noise of {NOISE:g} standard deviations on every parameter",
    _noisy,
    required=Requirement(at_most=0.02),
)
_SHUFFLED = Probe("shuffled", "every motion given to another clip", _of_another)
_SIBLING = Probe(
    "same_source",
    "every motion given to another clip of the same performer or video",
    _of_the_same_source,
    concerned="clips whose source has another clip",
    select=_has_a_sibling,
)

TEXT_PROBES: Sequence[Probe] = (
    Probe(
        "neck_zeroed",
        "every neck at zero",
        _neck_zeroed,
        concerned="clips whose head leaves the front",
        select=partial(_heads_leave, states=lambda states: states != {"front"}),
        required=Requirement(at_least=0.25),
    ),
    Probe(
        "mirrored",
        "every face and neck mirrored",
        _mirrored,
        concerned="clips whose texts name left or right",
        select=partial(_told, tells=concerns.names_a_side),
        required=Requirement(at_least=0.15),
    ),
    Probe(
        "neck_mirrored",
        "every neck mirrored",
        _neck_mirrored,
        concerned="clips whose head turns or tilts to a side",
        select=partial(_heads_leave, states=lambda states: bool(states & _TURNED)),
    ),
    replace(
        _REVERSED,
        concerned="clips whose texts tell things in order of time",
        select=partial(_told, tells=concerns.tells_an_order),
    ),
    _HALF,
    _STATIC,
    Probe(
        "emotion_swapped",
        "emotion and scenario texts of a clip of other emotions",
        None,
        _emotions_swapped,
        concerned="clips whose emotion words differ from the other's",
        select=_another_emotion,
        required=_CLEARLY,
    ),
    _NOISE,
    Probe("late_5", _LATE.format(5), partial(_shifted, frames=5)),
    _SIBLING,
    _SHUFFLED,
)
AUDIO_PROBES: Sequence[Probe] = (
    *(_shift(frames) for frames in SHIFTS),
    *(_shift(-frames) for frames in SHIFTS),
    _REVERSED,
    _HALF_HEARD,
    _STATIC,
    _NOISE,
    _SIBLING,
    _SHUFFLED,
)
