"""The muscle channels of the open head: what a performer moves, named after ARKit's blend shapes with the pairs split.

A channel at 0 is at rest and at 1 fully activated. The jaw and the neck are no channels: they are rotations of the
motion itself. Left and right are the subject's own.
"""

_PAIRED = (
    "browDown",
    "browInnerUp",
    "browOuterUp",
    "cheekPuff",
    "cheekSquint",
    "eyeBlink",
    "eyeLookDown",
    "eyeLookIn",
    "eyeLookOut",
    "eyeLookUp",
    "eyeSquint",
    "eyeWide",
    "mouthDimple",
    "mouthFrown",
    "mouthLowerDown",
    "mouthPress",
    "mouthSharpPull",
    "mouthSmile",
    "mouthStretch",
    "mouthUpperUp",
    "nasolabialDeepen",
    "noseSneer",
    "nostrilDilate",
)
_SINGLE = (
    "cheekSuck",
    "chinRaise",
    "jawForward",
    "jawLeft",
    "jawRight",
    "lipBite",
    "lipTighten",
    "mouthClose",
    "mouthFunnel",
    "mouthLeft",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "nostrilCompress",
    "tongueShow",
)
CHANNELS: tuple[str, ...] = tuple(name + side for name in _PAIRED for side in ("Left", "Right")) + _SINGLE
"""64 channel names, fixed order."""
