"""The shipped encoders against their cards: weights, head, clips, frozen encoders."""

from pathlib import Path

from benchmark.errors import InputError, Problem
from benchmark.features import MINILM_SHA256
from benchmark.head import open_head
from benchmark.storage import sha256_file
from benchmark.tracks import FROZEN_TRACKS, SPLITS_FOLDER, split_sha256
from evaluators.result import SCHEMA_FILE, schema
from evaluators.retrieval.card import CARD, EvaluatorCard, read_card
from evaluators.retrieval.load import WEIGHTS

_MEND = "get the weights again; other weights are a new version of the track"


def evaluator_problems(root: Path = WEIGHTS) -> list[Problem]:
    """Shipped encoders whose card is none, or whose weights, clips or head are others than it says."""
    problems: list[Problem] = []
    cards = sorted(root.rglob(CARD))
    for path in cards:
        try:
            problems += _card_problems(path, read_card(path.parent))
        except InputError as error:
            problems += error.problems
    listed = {path.parent for path in cards}
    strays = [file for file in sorted(root.rglob("*.safetensors")) if file.parent not in listed]
    problems += [Problem("weights without a card", str(file), CARD) for file in strays]
    absent = [track for track in FROZEN_TRACKS if not (root / track / CARD).is_file()]
    return problems + [Problem("a track has no encoders", track, str(root / track / CARD)) for track in absent]


def schema_problems(path: Path = SCHEMA_FILE) -> list[Problem]:
    """Whether the published schema of results is that of the code."""
    import json

    try:
        same = json.loads(path.read_text(encoding="utf-8")) == schema()
    except (OSError, ValueError) as error:
        return [Problem("the schema of results cannot be read", str(path), got=str(error))]
    mend = "a changed record is a new schema version"
    return [] if same else [Problem("not the schema of the code", str(path), mend=mend)]


def _card_problems(path: Path, card: EvaluatorCard) -> list[Problem]:
    pairs = [("head", card.head_sha256, open_head().sha256)]
    folder = SPLITS_FOLDER / card.track.replace("/", "-")
    for split, sha256 in card.splits.items():
        file = folder / f"{split}.txt"
        ids = file.read_text(encoding="utf-8").split() if file.is_file() else []
        pairs.append((f"{split} split", sha256, split_sha256(ids)))
    for kind, network in card.networks.items():
        file = path.parent / network.file
        pairs.append((f"{kind} weights", network.sha256, sha256_file(file) if file.is_file() else "no such file"))
        if network.encoder == "minilm":
            pairs.append((f"{kind} encoder", network.encoder_sha256, MINILM_SHA256))
    return [
        Problem(f"another {what} than the card's", str(path), expected, got, _MEND)
        for what, expected, got in pairs
        if expected != got
    ]
