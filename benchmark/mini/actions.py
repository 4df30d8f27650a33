"""The facial actions of CelebV-HQ and MMHead that show on a head, as muscle channels, jaw and head gestures in time.

Sided actions are written for the left side and mirrored when they are drawn for the right.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One stretch of an action."""

    face: dict[str, float]
    """Channel activations at full intensity; a name without Left or Right means both sides."""
    start: float = 0.0
    """Begin, as a share of the action's duration."""
    end: float = 1.0
    """End, as a share of the action's duration."""
    jaw: float = 0.0
    """Jaw opening in radians at full intensity."""
    rate: float = 0.0
    """Repetitions a second; 0 holds."""
    attack: float = 0.25
    """Share of the part taken by the rise."""
    jaw_side: float = 0.0
    """Jaw yaw in radians, to and fro with the repetitions."""


@dataclass(frozen=True)
class Head:
    """A head gesture that belongs to an action."""

    gesture: str
    """Key of :data:`benchmark.mini.gestures.GESTURES`."""
    start: float = 0.0
    """Begin, as a share of the action's duration."""
    end: float = 1.0
    """End, as a share of the action's duration."""
    intensity: float = 0.5
    """Intensity of the gesture when the action is at full intensity."""


@dataclass(frozen=True)
class Action:
    """One action of the taxonomy."""

    parts: tuple[Part, ...] = ()
    """What the face does."""
    head: tuple[Head, ...] = ()
    """What the head does."""
    seconds: tuple[float, float] = (1.0, 2.5)
    """Shortest and longest duration."""
    sided: bool = False
    """Whether it is made on one side."""
    while_speaking: bool = False
    """Whether the mouth is free, so that it goes with speech."""


_BROWS_DOWN = {"browDown": 0.8}
ACTIONS: dict[str, Action] = {
    "smile": Action(
        (Part({"mouthSmile": 0.9, "cheekSquint": 0.6, "mouthDimple": 0.25, "mouthSharpPull": 0.2}),),
        seconds=(1.2, 3.0),
        while_speaking=True,
    ),
    "laugh": Action(
        (
            Part({"mouthSmile": 0.9, "cheekSquint": 0.8, "mouthUpperUp": 0.5, "eyeSquint": 0.5}, jaw=0.1, attack=0.15),
            Part({"mouthLowerDown": 0.4, "nostrilDilate": 0.3}, 0.1, 0.9, jaw=0.12, rate=4.0),
        ),
        (Head("up", 0.0, 0.9, 0.45),),
        seconds=(1.2, 3.0),
    ),
    "frown": Action(
        (Part({"browDown": 0.95, "mouthFrown": 0.7, "eyeSquint": 0.3, "chinRaise": 0.3, "mouthShrugLower": 0.25}),),
        while_speaking=True,
    ),
    "gaze": Action(
        (Part({"eyeLookOutLeft": 0.9, "eyeLookInRight": 0.9, "eyeWide": 0.2}, attack=0.12),),
        seconds=(1.2, 2.8),
        sided=True,
        while_speaking=True,
    ),
    "glare": Action(
        (Part({"eyeWide": 0.7, "browDown": 0.7, "lipTighten": 0.5, "nostrilDilate": 0.4}, attack=0.15),),
        (Head("down", 0.0, 1.0, 0.15),),
        while_speaking=True,
    ),
    "wink": Action(
        (
            Part({"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.8, "mouthSmileLeft": 0.5}, 0.2, 0.7, attack=0.3),
            Part({"browOuterUpRight": 0.4}),
        ),
        seconds=(0.6, 1.2),
        sided=True,
        while_speaking=True,
    ),
    "yawn": Action(
        (
            Part({"mouthStretch": 0.5, "mouthFunnel": 0.3, "nasolabialDeepen": 0.6}, jaw=0.36, attack=0.4),
            Part({"eyeBlink": 0.95, "browInnerUp": 0.5, "eyeSquint": 0.5}, 0.25, 0.95),
        ),
        (Head("up", 0.1, 0.95, 0.4),),
        seconds=(1.8, 3.4),
    ),
    "blow": Action(
        (
            Part({"cheekPuff": 0.8}, 0.0, 0.6),
            Part({"mouthPucker": 0.9, "mouthFunnel": 0.5, "cheekPuff": 0.3}, 0.35, 1.0, jaw=0.03),
        ),
        seconds=(1.0, 2.2),
    ),
    "chew": Action(
        (
            Part({"mouthPress": 0.4, "mouthRollLower": 0.2, "mouthClose": 0.3}),
            Part({"mouthShrugLower": 0.4, "cheekSuck": 0.25, "chinRaise": 0.3}, jaw=0.12, rate=1.6, jaw_side=0.05),
        ),
        seconds=(1.6, 3.5),
    ),
    "sneer": Action(
        (Part({"noseSneerLeft": 0.95, "mouthUpperUpLeft": 0.7, "nasolabialDeepenLeft": 0.7, "eyeSquintLeft": 0.4}),),
        sided=True,
        while_speaking=True,
    ),
    "sigh": Action(
        (
            Part({"nostrilDilate": 0.5, "browInnerUp": 0.5}, 0.0, 0.5),
            Part({"mouthFunnel": 0.4, "cheekPuff": 0.25, "eyeLookDown": 0.4}, 0.35, 1.0, jaw=0.09),
        ),
        (Head("down", 0.35, 1.0, 0.3),),
        seconds=(1.4, 2.6),
    ),
    "sneeze": Action(
        (
            Part({"noseSneer": 0.7, "browInnerUp": 0.6, "mouthUpperUp": 0.5}, 0.0, 0.65, jaw=0.12, attack=0.5),
            Part({"eyeBlink": 1.0, "browDown": 0.8, "noseSneer": 0.9, "mouthStretch": 0.6}, 0.5, 0.95, attack=0.12),
        ),
        (Head("up", 0.0, 0.6, 0.35), Head("down", 0.5, 1.0, 0.7)),
        seconds=(1.1, 2.0),
    ),
    "cough": Action(
        (
            Part({"eyeSquint": 0.6, "browDown": 0.4}),
            Part({"mouthFunnel": 0.4, "cheekPuff": 0.3, "mouthLowerDown": 0.4}, jaw=0.16, rate=2.2),
        ),
        (Head("nod", 0.0, 1.0, 0.35),),
        seconds=(0.9, 2.0),
    ),
    "cry": Action(
        (
            Part({"browInnerUp": 0.9, "browDown": 0.4, "mouthFrown": 0.9, "mouthStretch": 0.5, "eyeSquint": 0.7}),
            Part({"chinRaise": 0.7, "mouthLowerDown": 0.3, "mouthShrugLower": 0.3}, jaw=0.07, rate=3.0),
        ),
        (Head("down", 0.0, 1.0, 0.45),),
        seconds=(1.6, 3.4),
    ),
    "weep": Action(
        (
            Part({"browInnerUp": 0.7, "mouthFrown": 0.6, "eyeLookDown": 0.6, "nasolabialDeepen": 0.4}),
            Part({"mouthShrugLower": 0.6, "nostrilDilate": 0.5}, rate=2.0),
        ),
        (Head("down", 0.0, 1.0, 0.3),),
        seconds=(1.6, 3.2),
    ),
    "close_eyes": Action((Part({"eyeBlink": 1.0}, attack=0.15),), seconds=(0.9, 2.4), while_speaking=True),
    "sleep": Action(
        (Part({"eyeBlink": 1.0, "eyeLookDown": 0.4}, attack=0.3), Part({"mouthLowerDown": 0.2}, 0.3, 1.0, jaw=0.05)),
        (Head("down", 0.15, 1.0, 0.8),),
        seconds=(2.0, 3.8),
    ),
    "lip_bite": Action((Part({"lipBite": 0.95, "mouthRollLower": 0.5, "browInnerUp": 0.2}, jaw=0.03),)),
    "pout": Action((Part({"mouthPucker": 0.7, "mouthShrugLower": 0.8, "chinRaise": 0.5, "browDown": 0.25}),)),
    "sniff": Action(
        (
            Part({"nostrilDilate": 0.8, "mouthUpperUp": 0.35}, rate=2.5),
            Part({"noseSneer": 0.4, "nostrilCompress": 0.5}),
        ),
        seconds=(0.7, 1.6),
    ),
    "shout": Action(
        (
            Part({"mouthStretch": 0.6, "mouthLowerDown": 0.7, "mouthUpperUp": 0.5}, jaw=0.33, attack=0.18),
            Part({"browDown": 0.7, "nostrilDilate": 0.5, "eyeWide": 0.4}),
        ),
        (Head("up", 0.0, 0.9, 0.2),),
        seconds=(0.9, 2.0),
    ),
    "make_a_face": Action(
        (
            Part({"tongueShow": 1.0, "mouthLowerDown": 0.4, "mouthStretch": 0.4}, jaw=0.2),
            Part({"noseSneer": 0.6, "eyeSquintLeft": 0.8, "browOuterUpRight": 0.7, "mouthLeft": 0.5}),
        ),
        sided=True,
    ),
    "squint": Action((Part({"eyeSquint": 0.95, "cheekSquint": 0.4, "browDown": 0.3}),), while_speaking=True),
    "eat": Action(
        (
            Part({"mouthLowerDown": 0.4}, 0.0, 0.25, jaw=0.25),
            Part({"mouthPress": 0.3, "cheekPuffLeft": 0.4}, 0.25, 1.0),
            Part({"mouthShrugLower": 0.3, "cheekSuck": 0.2}, 0.25, 1.0, jaw=0.1, rate=2.0, jaw_side=0.04),
        ),
        seconds=(2.0, 3.8),
        sided=True,
    ),
    "drink": Action(
        (
            Part({"mouthFunnel": 0.6, "mouthRollUpper": 0.3}, 0.0, 0.7, jaw=0.06),
            Part({"mouthRollLower": 0.5, "mouthPress": 0.4, "chinRaise": 0.3}, 0.6, 1.0),
        ),
        (Head("up", 0.1, 0.8, 0.6),),
        seconds=(1.4, 2.8),
    ),
    "surprise": Action(
        (Part({"browInnerUp": 0.8, "browOuterUp": 0.9, "eyeWide": 0.8}, jaw=0.13, attack=0.15),),
        seconds=(0.8, 2.0),
    ),
    "smirk": Action(
        (Part({"mouthSmileLeft": 0.8, "mouthDimpleLeft": 0.6, "cheekSquintLeft": 0.4, "mouthLeft": 0.3}),),
        sided=True,
        while_speaking=True,
    ),
    "nod": Action((), (Head("nod", 0.0, 1.0, 1.0),), (0.8, 2.2), while_speaking=True),
    "shake_head": Action((), (Head("shake", 0.0, 1.0, 1.0),), (0.9, 2.4), while_speaking=True),
    "head_wagging": Action((), (Head("wag", 0.0, 1.0, 1.0),), (1.2, 2.8), while_speaking=True),
    "turn": Action(
        (Part({"eyeLookOutLeft": 0.4, "eyeLookInRight": 0.4}, 0.0, 0.8),),
        (Head("turn_left", 0.0, 1.0, 1.0),),
        (1.0, 3.0),
        sided=True,
        while_speaking=True,
    ),
    "look_around": Action(
        (
            Part({"eyeLookOutLeft": 0.6, "eyeLookInRight": 0.6}, 0.0, 0.5),
            Part({"eyeLookInLeft": 0.6, "eyeLookOutRight": 0.6}, 0.5, 1.0),
        ),
        (Head("scan_left", 0.0, 1.0, 1.0),),
        (1.8, 3.6),
        sided=True,
        while_speaking=True,
    ),
}
"""Everything a text-to-motion clip can hold; talking clips draw from those that leave the mouth free."""
_RARE = 0.07
WEIGHTS: dict[str, float] = dict.fromkeys(ACTIONS, _RARE) | {
    "smile": 0.5, "head_wagging": 0.42, "turn": 0.46, "frown": 0.36, "gaze": 0.39, "nod": 0.39, "shake_head": 0.36,
    "look_around": 0.35, "glare": 0.2, "close_eyes": 0.2, "sniff": 0.15, "weep": 0.14, "laugh": 0.18, "wink": 0.24,
    "shout": 0.12, "blow": 0.1, "sneer": 0.16, "smirk": 0.24, "surprise": 0.1, "squint": 0.1,
}  # fmt: skip
"""How often each is drawn: about the root of its frequency in CelebV-HQ, so that rare ones can be learnt too, one-sided
ones somewhat more."""
ACCENTS: dict[str, dict[str, float]] = {
    "brow_raise": {"browInnerUp": 0.6, "browOuterUp": 0.8},
    "brow_raise_left": {"browInnerUpLeft": 0.5, "browOuterUpLeft": 0.95},
    "brow_raise_right": {"browInnerUpRight": 0.5, "browOuterUpRight": 0.95},
    "inner_brows": {"browInnerUp": 0.9},
    "brow_lower": {"browDown": 0.8},
    "brow_lower_left": {"browDownLeft": 0.9},
    "brow_lower_right": {"browDownRight": 0.9},
    "lids_up": {"eyeWide": 0.8},
    "lids_tight": {"eyeSquint": 0.8},
    "cheeks": {"cheekSquint": 0.8},
    "cheek_left": {"cheekSquintLeft": 0.95},
    "cheek_right": {"cheekSquintRight": 0.95},
    "nose": {"noseSneer": 0.7},
    "nostrils": {"nostrilDilate": 0.9},
    "nostrils_in": {"nostrilCompress": 0.9},
    "fold": {"nasolabialDeepen": 0.8},
    "fold_left": {"nasolabialDeepenLeft": 0.95},
    "fold_right": {"nasolabialDeepenRight": 0.95},
    "dimple_left": {"mouthDimpleLeft": 0.95},
    "dimple_right": {"mouthDimpleRight": 0.95},
    "lip_press": {"mouthPress": 0.8, "mouthRollLower": 0.3, "mouthRollUpper": 0.3},
    "lip_tight": {"lipTighten": 0.9},
    "chin": {"chinRaise": 0.9, "mouthShrugLower": 0.4},
    "upper_lip": {"mouthShrugUpper": 0.6, "mouthUpperUp": 0.6},
    "cheeks_in": {"cheekSuck": 0.8},
    "jaw_forward": {"jawForward": 0.8},
    "mouth_left": {"mouthLeft": 0.8, "jawLeft": 0.4},
    "mouth_right": {"mouthRight": 0.8, "jawRight": 0.4},
    "look_up": {"eyeLookUp": 0.8},
    "look_down": {"eyeLookDown": 0.8},
}
"""Small single movements, action units rather than actions."""
MOUTH_ACCENTS = frozenset(
    (
        *("lip_press", "lip_tight", "chin", "upper_lip", "cheeks_in", "jaw_forward"),
        *("mouth_left", "mouth_right", "dimple_left", "dimple_right"),
    )
)
"""Accents that need the mouth: not while speaking."""
