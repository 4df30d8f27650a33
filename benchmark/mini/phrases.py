"""The words of the annotations: action units, head movements, actions, emotions, scenarios.

The action-unit names are the vocabulary of MMHead's sentences (the 41 outputs of OpenGraphAU).
"""

DEGREES: tuple[tuple[str, ...], ...] = (
    ("slightly", "a little", "subtly", "faintly"),
    ("moderately", "noticeably", "visibly", ""),
    ("strongly", "clearly", "markedly", "intensely"),
)
"""Words for weak, middle and strong."""
FIRST = ("At first", "Initially", "First", "In the beginning", "To begin with")
NEXT = ("Then", "Next", "After that", "Afterwards", "A moment later", "Following this")
LAST = ("At the end", "Finally", "Towards the end", "In the end", "Lastly")
MEANWHILE = ("At the same time", "Meanwhile", "Simultaneously")
THROUGHOUT = ("Throughout the clip", "During the whole clip", "All along", "For most of the video")
SUBJECTS = ("The portrait", "The portrait in the video", "The person", "The subject", "The character")

PAIRED: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "browDown": (("brow", "brows", "lowers", "lower"), ("eyebrow", "eyebrows", "is drawn down", "are drawn down")),
    "browInnerUp": (
        ("inner brow", "inner brows", "raises", "raise"),
        ("inner eyebrow", "inner eyebrows", "lifts", "lift"),
    ),
    "browOuterUp": (
        ("outer brow", "outer brows", "raises", "raise"),
        ("outer eyebrow", "outer eyebrows", "lifts", "lift"),
    ),
    "cheekPuff": (("cheek", "cheeks", "puffs out", "puff out"),),
    "cheekSquint": (("cheek", "cheeks", "raises", "raise"), ("cheek", "cheeks", "is lifted", "are lifted")),
    "eyeBlink": (("eye", "eyes", "closes", "close"), ("eyelid", "eyelids", "shuts", "shut")),
    "eyeSquint": (("lid", "lids", "tightens", "tighten"), ("eye", "eyes", "narrows", "narrow")),
    "eyeWide": (("upper lid", "upper lids", "raises", "raise"), ("eye", "eyes", "widens", "widen")),
    "mouthDimple": (("cheek", "cheeks", "dimples", "dimple"), ("dimple", "dimples", "shows", "show")),
    "mouthFrown": (
        ("lip corner", "lip corners", "is depressed", "are depressed"),
        ("lip corner", "lip corners", "drops", "drop"),
    ),
    "mouthLowerDown": (("side of the lower lip", "lower lip", "is lowered", "is lowered"),),
    "mouthPress": (("side of the lips", "lips", "presses together", "press together"),),
    "mouthSharpPull": (("lip corner", "lip corners", "is pulled sharply", "are pulled sharply"),),
    "mouthSmile": (
        ("lip corner", "lip corners", "is pulled up", "are pulled up"),
        ("lip corner", "lip corners", "rises", "rise"),
    ),
    "mouthStretch": (("side of the lips", "lips", "stretches", "stretch"),),
    "mouthUpperUp": (("side of the upper lip", "upper lip", "raises", "raises"),),
    "nasolabialDeepen": (("nasolabial fold", "nasolabial folds", "deepens", "deepen"),),
    "noseSneer": (("side of the nose", "nose", "wrinkles", "wrinkles"),),
    "nostrilDilate": (("nostril", "nostrils", "dilates", "dilate"), ("nostril", "nostrils", "flares", "flare")),
    "eyeLookUp": (("eye", "eyes", "looks up", "look up"),),
    "eyeLookDown": (("eye", "eyes", "looks down", "look down"),),
}
"""Paired channels as (one, both, verb of one, verb of both)."""
SINGLE: dict[str, tuple[str, ...]] = {
    "cheekSuck": ("the cheeks are sucked in",),
    "chinRaise": ("the chin raises", "the chin is pushed up"),
    "jawForward": ("the jaw thrusts forward",),
    "lipBite": ("the lip is bitten", "the teeth bite the lower lip"),
    "lipTighten": ("the lips tighten",),
    "mouthClose": ("the mouth stays closed",),
    "mouthFunnel": ("the lips funnel", "the lips form a funnel"),
    "mouthLeft": ("the mouth shifts to the left",),
    "mouthRight": ("the mouth shifts to the right",),
    "jawLeft": ("the jaw moves to the left",),
    "jawRight": ("the jaw moves to the right",),
    "mouthPucker": ("the lips pucker", "the lips are pursed"),
    "mouthRollLower": ("the lower lip rolls in",),
    "mouthRollUpper": ("the upper lip rolls in",),
    "mouthShrugLower": ("the lower lip is pushed up", "the lower lip sticks out"),
    "mouthShrugUpper": ("the upper lip is raised",),
    "nostrilCompress": ("the nostrils compress",),
    "tongueShow": ("the tongue shows",),
    "gazeLeft": ("the eyes turn to the left", "the gaze moves to the left"),
    "gazeRight": ("the eyes turn to the right", "the gaze moves to the right"),
    "jawDrop": ("the jaw drops", "the lips part", "the mouth opens"),
    "mouthStretched": ("the mouth stretches wide open", "the jaw drops far down"),
}
"""Other channels, the gaze, and the jaw."""
UNIT_NAMES: dict[str, str] = {
    "browDown": "brow lowerer",
    "browInnerUp": "inner brow raiser",
    "browOuterUp": "outer brow raiser",
    "cheekSquint": "cheek raiser",
    "eyeSquint": "lid tightener",
    "eyeWide": "upper lid raiser",
    "mouthDimple": "dimpler",
    "mouthFrown": "lip corner depressor",
    "mouthLowerDown": "lower lip depressor",
    "mouthPress": "lip pressor",
    "mouthSharpPull": "sharp lip puller",
    "mouthSmile": "lip corner puller",
    "mouthStretch": "lip stretcher",
    "mouthUpperUp": "upper lip raiser",
    "nasolabialDeepen": "nasolabial deepener",
    "noseSneer": "nose wrinkler",
    "nostrilDilate": "nostril dilator",
    "nostrilCompress": "nostril compressor",
    "chinRaise": "chin raiser",
    "lipTighten": "lip tightener",
    "mouthFunnel": "lip funneler",
    "mouthPucker": "lip pucker",
    "jawDrop": "jaw drop",
    "mouthStretched": "mouth stretch",
    "tongueShow": "tongue show",
    "lipBite": "lip bite",
}
"""Names of the action units behind channels."""

ACTIONS: dict[str, tuple[str, ...]] = {
    "smile": ("smiles", "breaks into a smile", "gives a smile"),
    "laugh": ("laughs", "bursts into laughter", "chuckles"),
    "frown": ("frowns", "knits the brows in a frown"),
    "gaze": ("gazes to the {side}", "looks with the eyes to the {side}"),
    "glare": ("glares", "stares angrily", "glares at the viewer"),
    "wink": ("winks with the {side} eye", "gives a wink of the {side} eye"),
    "yawn": ("yawns", "lets out a yawn"),
    "blow": ("blows", "blows out air"),
    "chew": ("chews", "is chewing something"),
    "sneer": ("sneers with the {side} side of the mouth", "curls the lip on the {side}", "sneers"),
    "sigh": ("sighs", "heaves a sigh"),
    "sneeze": ("sneezes",),
    "cough": ("coughs", "has a cough"),
    "cry": ("cries", "is crying"),
    "weep": ("weeps", "weeps quietly"),
    "close_eyes": ("closes the eyes", "shuts both eyes", "keeps the eyes closed"),
    "sleep": ("falls asleep", "dozes off", "sleeps"),
    "lip_bite": ("bites the lip", "bites the lower lip"),
    "pout": ("pouts", "makes a pout"),
    "sniff": ("sniffs", "sniffles"),
    "shout": ("shouts", "shouts out", "yells"),
    "make_a_face": ("makes a face", "pulls a funny face"),
    "squint": ("squints", "narrows the eyes"),
    "eat": ("eats", "takes a bite and chews on the {side}"),
    "drink": ("drinks", "takes a sip"),
    "surprise": ("looks surprised", "gasps in surprise"),
    "smirk": ("smirks on the {side}", "gives a smirk with the {side} lip corner"),
    "nod": ("nods", "nods the head"),
    "shake_head": ("shakes the head", "shakes the head in denial"),
    "head_wagging": ("wags the head", "rocks the head from side to side"),
    "turn": ("turns the head to the {side}", "turns to the {side}"),
    "look_around": ("looks around, first to the {side} and then to the {other}", "looks around"),
    "talk": ("talks", "talks to the viewer", "speaks", "is talking"),
    "sing": ("sings", "sings a song", "is singing"),
    "read": ("reads aloud", "reads something out", "is reading a text aloud"),
}
"""Verb phrases of the actions."""
FIXED: dict[str, tuple[str, ...]] = {
    "talk": (
        "The portrait is speaking to the camera.",
        "A portrait delivers a short speech.",
        "The portrait talks in front of the lens.",
        "Someone says a sentence.",
        "The portrait utters a line.",
        "The portrait is having a conversation.",
        "The portrait speaks out.",
    ),
    "sing": (
        "The portrait is singing to the camera.",
        "A portrait performs a short song.",
        "The portrait sings in front of the lens.",
        "Someone sings a melody.",
        "The portrait sings a line of a song.",
        "The portrait is performing a tune.",
        "The portrait sings out.",
    ),
    "": (
        "The portrait makes an expression.",
        "A portrait shows a facial expression.",
        "The portrait poses with an expression.",
        "Someone makes a face for the camera.",
        "The portrait changes its expression.",
        "The portrait displays a feeling.",
        "The portrait performs an expression.",
    ),
}
"""The seven sentences a studio recording draws from."""
EMOTIONS: dict[str, tuple[tuple[str, ...], ...]] = {
    "neutral": (("neutral", "calm"), ("neutral", "calm", "composed"), ("neutral", "completely calm", "expressionless")),
    "happy": (
        ("content", "pleased", "slightly happy"),
        ("happy", "cheerful"),
        ("very happy", "delighted", "overjoyed"),
    ),
    "sadness": (("a little sad", "downcast"), ("sad", "unhappy"), ("very sad", "heartbroken", "deeply sorrowful")),
    "anger": (("annoyed", "a bit angry"), ("angry", "irritated"), ("furious", "very angry", "enraged")),
    "fear": (("uneasy", "a little afraid"), ("afraid", "fearful"), ("terrified", "very frightened")),
    "surprise": (("mildly surprised",), ("surprised", "astonished"), ("amazed", "very surprised", "shocked")),
    "contempt": (
        ("a bit contemptuous", "dismissive"),
        ("contemptuous", "scornful"),
        ("full of contempt", "very scornful"),
    ),
    "disgust": (("slightly disgusted",), ("disgusted", "repelled"), ("revolted", "very disgusted")),
}
"""Adjectives for weak, middle and strong."""
SCENARIOS: dict[str, tuple[str, ...]] = {
    "neutral": (
        "waiting for a bus on an ordinary day", "answering a routine question", "listening to a weather report",
        "filling in a form at an office", "explaining a recipe step by step", "watching the street from a window",
        "posing for a passport photo", "sitting in a quiet library", "reading the news in the morning",
        "giving directions to a stranger", "attending a regular meeting", "thinking about a shopping list",
    ),
    "happy": (
        "meeting an old friend again", "receiving a birthday present", "hearing that the exam was passed",
        "watching children play in the garden", "winning a small prize", "planning a long awaited holiday",
        "listening to a good joke", "getting praise from a teacher", "tasting a favourite cake",
        "seeing the first snow of the year", "being told of a wedding", "coming home after a long journey",
    ),
    "sadness": (
        "saying goodbye at a station", "hearing that a pet has died", "missing someone far away",
        "losing an important match", "looking at photos of lost friends", "being left out of a party",
        "ending a long friendship", "failing an exam after much work", "remembering a grandmother",
        "watching a sad film alone", "reading a letter of farewell", "leaving the house of childhood",
    ),
    "anger": (
        "being cut off in traffic", "finding out about a lie", "having a phone stolen",
        "arguing about an unfair bill", "being insulted in public", "waiting for hours without an answer",
        "seeing someone hurt an animal", "being blamed for another's mistake", "a neighbour making noise at night",
        "a computer losing a day of work", "a broken promise by a colleague", "someone pushing into the queue",
    ),
    "fear": (
        "hearing steps in the dark", "standing at the edge of a cliff", "meeting a growling dog",
        "waiting for a serious diagnosis", "being alone in a storm", "feeling the ground shake",
        "watching a horror film", "losing sight of a child in a crowd", "a stranger following at night",
        "being stuck in a lift", "speaking to a large audience for the first time", "seeing a spider on the pillow",
    ),
    "surprise": (
        "walking into a surprise party", "finding money in an old coat", "hearing an unexpected announcement",
        "seeing a magician's trick", "meeting a celebrity by chance", "opening a mysterious parcel",
        "a sudden loud bang", "learning a family secret", "an unexpected visitor at the door",
        "a cat jumping out of a box", "winning without having tried", "a sudden change of plans",
    ),
    "contempt": (
        "listening to an empty boast", "seeing a rival fail", "hearing a poor excuse",
        "watching someone show off", "being offered a bribe", "reading a silly comment",
        "an arrogant guest giving orders", "a cheap imitation being praised", "a lazy colleague taking credit",
        "an opponent begging for help", "a clumsy attempt at flattery", "someone cheating at cards",
    ),
    "disgust": (
        "smelling spoiled milk", "finding a hair in the soup", "stepping into something sticky",
        "seeing rubbish in a river", "tasting bitter medicine", "opening a bin in summer",
        "watching someone chew loudly", "touching a slimy fish", "seeing mould on bread",
        "a dirty public toilet", "hearing a repulsive story", "finding a cockroach in the kitchen",
    ),
}  # fmt: skip
"""What may have caused an emotion."""
HEAD: dict[str, tuple[str, ...]] = {
    "nod": ("the head nods {times}", "the head moves up and down {times}"),
    "shake": ("the head shakes from side to side {times}", "the head swings left and right {times}"),
    "wag": ("the head wags from shoulder to shoulder {times}", "the head rocks sideways {times}"),
    "scan_left": ("the head turns to the left and then to the right", "the head scans from left to right"),
    "scan_right": ("the head turns to the right and then to the left", "the head scans from right to left"),
    "turn_left": ("the head turns to the left", "the head turns left", "the face rotates towards the left"),
    "turn_right": ("the head turns to the right", "the head turns right", "the face rotates towards the right"),
    "tilt_left": ("the head tilts to the left", "the head leans to the left shoulder"),
    "tilt_right": ("the head tilts to the right", "the head leans to the right shoulder"),
    "up": ("the head tilts up", "the head is raised", "the chin lifts and the head goes up"),
    "down": ("the head goes down", "the head is lowered", "the head tilts downwards"),
}
"""Clauses of the head gestures."""
COUNTS = ("once", "twice", "three times", "four times", "several times")
BACK = ("and comes back", "and returns to the middle", "before returning to the front", "", "", "")
STILL = (
    "The head stays almost still.",
    "The head faces the front with hardly any movement.",
    "The head keeps a steady pose.",
)
SPEAKING: dict[str, tuple[str, ...]] = {
    "talk": ("the lips part and the jaw drops as words are spoken", "the mouth opens and closes in speech"),
    "sing": ("the jaw drops far and the lips hold long open shapes", "the mouth opens wide on long notes"),
    "read": ("the lips part evenly while the eyes look down", "the mouth moves steadily and the eyes follow the lines"),
}
VAGUE = ("there are small changes around the eyes", "the face moves a little", "the expression shifts briefly")
TENS = {10: "ten", 15: "fifteen", 20: "twenty", 25: "twenty-five", 30: "thirty"}
"""Rough angles in degrees."""
