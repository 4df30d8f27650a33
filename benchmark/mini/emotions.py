"""The eight emotions: what they do to the face, the head, and the voice."""

from dataclasses import dataclass, field

EMOTIONS = ("neutral", "happy", "sadness", "anger", "fear", "surprise", "contempt", "disgust")
"""CelebV-HQ's eight emotion labels."""
WEIGHTS = (0.5, 0.15, 0.1, 0.09, 0.045, 0.045, 0.035, 0.035)
"""How often each is played: flatter than in life (65% neutral), so that every emotion can be learnt."""


@dataclass(frozen=True)
class Emotion:
    """One emotion at full intensity."""

    face: dict[str, float] = field(default_factory=dict)
    """Channel activations; a name without Left or Right means both sides."""
    jaw: float = 0.0
    """Added jaw opening in radians while not speaking."""
    pitch: float = 0.0
    """Held head pitch in radians, positive down."""
    liveliness: float = 1.0
    """Factor on idle head motion."""
    articulation: float = 1.0
    """Factor on mouth opening in speech."""
    voice: tuple[float, float, float, float] = (1.0, 0.0, 1.0, 1.0)
    """Speech: factor on rate, added pitch, factor on pitch range, factor on volume."""


FACES: dict[str, Emotion] = {
    "neutral": Emotion(),
    "happy": Emotion(
        {"mouthSmile": 0.75, "cheekSquint": 0.6, "mouthDimple": 0.2, "eyeSquint": 0.15, "browOuterUp": 0.15},
        pitch=-0.03,
        liveliness=1.3,
        articulation=1.1,
        voice=(1.06, 8.0, 1.4, 1.05),
    ),
    "sadness": Emotion(
        {"browInnerUp": 0.7, "mouthFrown": 0.6, "mouthShrugLower": 0.3, "eyeLookDown": 0.35, "chinRaise": 0.3},
        pitch=0.08,
        liveliness=0.7,
        articulation=0.8,
        voice=(0.82, -8.0, 0.5, 0.75),
    ),
    "anger": Emotion(
        {
            "browDown": 0.8,
            "eyeSquint": 0.4,
            "noseSneer": 0.3,
            "lipTighten": 0.4,
            "mouthPress": 0.35,
            "nostrilDilate": 0.4,
        },
        pitch=0.04,
        liveliness=1.25,
        articulation=1.25,
        voice=(1.1, 4.0, 1.2, 1.35),
    ),
    "fear": Emotion(
        {"browInnerUp": 0.6, "browOuterUp": 0.3, "browDown": 0.3, "eyeWide": 0.7, "mouthStretch": 0.5},
        jaw=0.04,
        pitch=-0.04,
        liveliness=1.3,
        articulation=0.95,
        voice=(1.15, 12.0, 0.9, 0.85),
    ),
    "surprise": Emotion(
        {"browInnerUp": 0.7, "browOuterUp": 0.8, "eyeWide": 0.6, "mouthFunnel": 0.15},
        jaw=0.1,
        pitch=-0.05,
        articulation=1.15,
        voice=(1.0, 14.0, 1.6, 1.1),
    ),
    "contempt": Emotion(
        {"mouthDimpleLeft": 0.7, "mouthSmileLeft": 0.35, "eyeSquint": 0.3, "browOuterUpRight": 0.3, "mouthLeft": 0.25},
        pitch=-0.06,
        liveliness=0.85,
        articulation=0.9,
        voice=(0.92, -4.0, 0.8, 0.95),
    ),
    "disgust": Emotion(
        {"noseSneer": 0.75, "mouthUpperUp": 0.5, "browDown": 0.4, "eyeSquint": 0.3, "mouthShrugUpper": 0.3},
        pitch=-0.03,
        liveliness=0.9,
        articulation=1.05,
        voice=(0.92, -5.0, 0.9, 1.0),
    ),
}
