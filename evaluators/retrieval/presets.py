"""Sizes and settings that retrieval networks are trained with."""

from dataclasses import dataclass
from typing import Literal, get_args

from evaluators.retrieval.layout import TextLayout

Alteration = Literal[
    "neck_zeroed",
    "neck_mirrored",
    "neck_reversed",
    "neck_exchanged",
    "face_mirrored",
    "face_reversed",
    "mirrored",
    "time_reversed",
]
"""One way of changing a motion; ``face`` leaves the neck as it is, ``neck`` the face, the others change both."""


@dataclass(frozen=True)
class Synchrony:
    """Settings of the frame-by-frame audio network."""

    width: int = 64
    layers: int = 3
    code: int = 16
    steps: int = 400
    learning_rate: float = 2e-3
    temperature: float = 0.1
    pull: float = 1.0
    """Weight of the own pair's squared distance."""
    shifts: tuple[int, ...] = (2, 3, 4, 5, 6, 8, 10, 12)
    """Frames by which the own speech may come late or early, to be told apart."""
    drawn: int = 3
    """Shifts of these in a step."""


@dataclass(frozen=True)
class Timeline:
    """Settings of the text network that embeds part by part."""

    parts: int = 4
    motion_stride: int = 4
    condition_stride: int = 2
    phases: int = 3


@dataclass(frozen=True)
class Preset:
    """Everything about a training run but its data and its seed."""

    latent: int
    feed_forward: int
    layers: int
    heads: int
    dropout: float
    components: int
    """Principal components of the face vertices that training sees; 0 for the vertices themselves."""
    head_pose: int
    """3: neck rotation as released; 6: with its velocity."""
    layout: TextLayout
    """How the text fields become one sequence."""
    half: bool
    """Whether weights are stored as float16."""
    batch: int
    steps: int
    learning_rate: float
    decay: bool
    """Whether the learning rate falls along a half cosine after a short warm-up, or stays as it is."""
    reconstructed: int
    """Clips of a batch whose motion is decoded."""
    similarity: Literal["cosine", "euclidean"]
    """What the contrastive loss compares latents by."""
    temperature: float
    contrastive: float
    """Weight of the contrastive loss; reconstruction has 1, the others TMR's 1e-5."""
    sampled: bool
    """Whether the contrastive loss compares sampled latents, as TMR, or their means, which the metrics use."""
    false_negative: float
    """Texts more alike than this on the scale of (cosine + 1) / 2 are no negatives of each other.

    TMR's 0.80 belongs to its sentence encoder. By MiniLM nine in ten pairs of the embedded corpus's texts are more
    alike than that, so that nothing would be left to learn from; 0.95 leaves out the near-identical ones.
    """
    field_dropout: float
    """Chance of leaving out each text field of a clip in a step; at least one stays."""
    crop: tuple[int, int]
    """Shortest and longest random crop shared by speech and motion, in frames."""
    alterations: tuple[Alteration, ...]
    """Altered motions, one of each clip in a batch by turns: negatives of every text, and of their own clip's where it
    tells what was altered."""
    altered_weight: float
    """Ordinary negatives that an altered motion counts for."""
    timeline: Timeline | None
    """The text network embeds part by part; None for one latent a clip, as released."""
    synchrony: Synchrony | None
    """The audio network judges frame by frame; None for one latent a clip, as released."""
    validate_every: int
    checkpoint_every: int


EMBEDDED = Preset(
    latent=112,
    feed_forward=224,
    layers=2,
    heads=4,
    dropout=0.0,
    components=64,
    head_pose=6,
    layout="placed",
    half=True,
    batch=64,
    steps=1000,
    learning_rate=1e-3,
    decay=True,
    reconstructed=0,
    similarity="cosine",
    temperature=0.018,
    contrastive=1.0,
    sampled=False,
    false_negative=0.95,
    field_dropout=0.3,
    crop=(40, 120),
    alterations=get_args(Alteration),
    altered_weight=4.0,
    timeline=Timeline(),
    synchrony=Synchrony(),
    validate_every=100,
    checkpoint_every=50,
)
"""Under a million parameters, trained in minutes on two cores: for the embedded corpus."""

RELEASED = Preset(
    latent=256,
    feed_forward=1024,
    layers=6,
    heads=4,
    dropout=0.1,
    components=0,
    head_pose=3,
    layout="joined",
    half=False,
    batch=32,
    steps=100_000,
    learning_rate=1e-4,
    decay=False,
    reconstructed=32,
    similarity="cosine",
    temperature=0.1,
    contrastive=0.1,
    sampled=True,
    false_negative=0.80,
    field_dropout=0.0,
    crop=(75, 75),
    alterations=(),
    altered_weight=1.0,
    timeline=None,
    synchrony=None,
    validate_every=1000,
    checkpoint_every=500,
)
"""The released architecture and TMR's recipe, for a GPU and a full-size corpus."""

PRESETS: dict[str, Preset] = {"embedded": EMBEDDED, "released": RELEASED}
