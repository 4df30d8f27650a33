"""The shipped weights against their cards, and the submissions' ``weights.json`` against the weights."""

from pathlib import Path

from benchmark.errors import InputError, Problem
from benchmark.storage import sha256_file
from reference_models.catalogue import NETWORKS
from reference_models.pins import PINS_FILE, check_pins, read_pins
from reference_models.weights import CARD_FILE, WEIGHTS, WEIGHTS_FILE, WeightsCard, read_card

_MEND = "get the weights again, or train them anew with their card"


def weights_problems(root: Path = WEIGHTS) -> list[Problem]:
    """Shipped weights whose card is none, or whose bytes, size, place or needed networks are others than it says."""
    problems: list[Problem] = []
    for path in sorted(root.rglob(WEIGHTS_FILE)):
        try:
            problems += _card_problems(root, path, read_card(path.parent))
        except InputError as error:
            problems += error.problems
    cards = [path for path in sorted(root.rglob(CARD_FILE)) if not (path.parent / WEIGHTS_FILE).is_file()]
    return problems + [Problem("a card without weights", str(path), WEIGHTS_FILE, mend=_MEND) for path in cards]


def pin_problems(submissions: Path) -> list[Problem]:
    """Weights that submissions name and that are not those there are.

    Args:
        submissions: Folder of submissions.
    """
    problems: list[Problem] = []
    for path in sorted(submissions.glob(f"*/{PINS_FILE}")):
        try:
            pins = read_pins(path)
            for track in pins.weights:
                check_pins(path.parent.name, track, pins, path)
        except InputError as error:
            problems += error.problems
    return problems


def _card_problems(root: Path, path: Path, card: WeightsCard) -> list[Problem]:
    place = path.parent.relative_to(root).as_posix()
    network = place.rpartition("/")[2]
    pairs = [
        ("bytes", card.sha256, sha256_file(path)),
        ("size", str(card.bytes), str(path.stat().st_size)),
        ("place", f"{card.track}/{network if network.startswith(f'{card.name}.') else card.name}", place),
    ]
    needs = NETWORKS[card.name].needs if card.name in NETWORKS else ()
    for need in needs:
        own = root / card.track / need / CARD_FILE
        found = read_card(own.parent).sha256 if own.is_file() else "no such weights"
        pairs.append((f"weights of {need}", card.needs.get(need, "none named"), found))
    return [
        Problem(f"other {what} than the card's", str(path), expected, got, _MEND)
        for what, expected, got in pairs
        if expected != got
    ]
