"""What goes into the construction of one clip and what comes out."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.audio import Recording
from benchmark.protocol import FPS, FloatArray, Texts

Array = NDArray[np.float64]
Setting = Literal["wild", "studio"]
EXPRESSING = "express"
"""Action label of a studio recording of an expression, as Multiface's: such clips go to Benchmark II."""


@dataclass(frozen=True)
class EmotionSpan:
    """One emotion label."""

    emotion: str
    start_s: float | None = None
    """Seconds from the first frame; None for the whole clip."""
    end_s: float | None = None
    intensity: float | None = None
    """0 to 1 where it is known."""


@dataclass(frozen=True)
class ActionUnits:
    """Per-frame intensities of action units."""

    names: tuple[str, ...]
    """``AU12`` for both sides, ``AUL12`` and ``AUR12`` for the subject's left and right."""
    intensity: Array
    """(T, n), 0 to 1, NaN where the detector failed."""
    fps: float
    """Frames a second, the first at the clip's first frame."""


@dataclass(frozen=True)
class RawClip:
    """One clip as a tracker and its labels give it."""

    id: str
    """Clip name; everything before its last ``_`` names the source unless ``source`` says otherwise."""
    expression: Array
    """(T, 50) FLAME expression, NaN where the tracker failed."""
    neck: Array
    """(T, 3) axis-angle, radians."""
    jaw: Array
    """(T, 3) axis-angle, radians."""
    fps: float = FPS
    """Frames a second, or the nominal rate where ``times`` are given."""
    times: Array | None = None
    """(T,) seconds, rising: when each frame was seen, for uneven tracks."""
    audio: Recording | None = None
    actions: tuple[str, ...] = ()
    """Labels, unordered."""
    emotions: tuple[EmotionSpan, ...] = ()
    """Labels, in order."""
    units: ActionUnits | None = None
    sync_confidence: float | None = None
    """Audio-video confidence (SyncNet)."""
    setting: Setting = "wild"
    """``studio`` recordings have one action, and their action text is one of seven fixed sentences."""
    source: str | None = None
    """Video or person the clip was cut from."""


@dataclass(frozen=True)
class Span:
    """A stretch of frames in which something holds."""

    name: str
    """A head-pose state or an action unit."""
    start: int
    """First frame."""
    end: int
    """One after the last frame."""
    peak: float
    """Largest angle in degrees, or largest intensity, 0 to 1."""


@dataclass(frozen=True)
class HeadPose:
    """What the head does."""

    states: NDArray[np.int8]
    """(T,) indices into ``head_pose.STATES``."""
    angles: Array
    """(T, 3) pitch, yaw, roll in degrees."""
    spans: tuple[Span, ...]
    """The runs of ``states`` in order."""


@dataclass(frozen=True)
class Evidence:
    """All an annotator is told: labels, and what was measured in order of time. It never sees an id."""

    frames: int
    setting: Setting
    actions: tuple[str, ...]
    """Labels after the filters, in the order in which their traces were found."""
    onsets: tuple[float | None, ...]
    """Where in the clip (0 to 1) each action's trace lies, None where nothing tells."""
    emotions: tuple[EmotionSpan, ...]
    units: tuple[Span, ...]
    """Stretches of active units, by start."""
    jaw_peak: float
    """Largest jaw opening in radians."""
    head: HeadPose
    speech: str
    """``talk``, ``sing``, ``read``, or nothing."""


@dataclass(frozen=True)
class Mended:
    """How a clip was changed on its way, for the report."""

    fps: float
    """Rate of the raw track."""
    frames_in: int
    frames_out: int
    untracked: int
    """Values (frames times parameters) without a number."""
    outliers: tuple[int, int, int]
    """Values replaced from neighbours in expression, neck and jaw, those without a number included."""
    moved_rms: tuple[float, float, float]
    """Root mean square change by mending and smoothing: expression in its units, neck and jaw in degrees."""
    moved_max: tuple[float, float, float]
    """Largest change of a frame, likewise."""
    strength: tuple[float, float, float]
    """Smoothing strength, median over the parameters of expression; neck; jaw."""
    notes: tuple[str, ...] = ()
    """Other repairs: cuts, labels taken off."""


@dataclass(frozen=True)
class Constructed:
    """A clean, annotated clip."""

    id: str
    source: str | None
    parameters: FloatArray
    """(T, 56) at 25 fps."""
    audio: FloatArray | None
    """(T * 640,) mono, 16 kHz."""
    texts: Texts
    """Written by rules; the pipeline replaces those that a language model is to write."""
    evidence: Evidence
    mended: Mended
    seconds: dict[str, float] = field(default_factory=dict, compare=False)
    """Time each stage took."""


@dataclass(frozen=True)
class Dropped:
    """A clip that is left out, and why."""

    id: str
    reason: str
    """A few words, the same for every clip with this fault."""
    detail: str = ""
    """The numbers of this clip."""
