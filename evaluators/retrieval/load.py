"""Retrieval encoders by name or folder: the shipped ones, trained ones, or the released checkpoints of a user."""

from pathlib import Path

from benchmark.errors import InputError, Problem, nearest_names
from benchmark.features import audio_encoder, text_encoder
from benchmark.head import HeadModel
from benchmark.storage import content_hash, sha256_file
from evaluators.retrieval.card import CARD, EvaluatorCard, NetworkCard, read_card
from evaluators.retrieval.evaluator import AudioMotionEvaluator, EvaluatorSet, Statistics, TextMotionEvaluator
from evaluators.retrieval.released import load_released_set

WEIGHTS = Path(__file__).parent / "weights"


def shipped_evaluators() -> tuple[str, ...]:
    """Names of the evaluators that come with mmbench: the ids of their tracks, with ``/second`` for another seed's."""
    return tuple(sorted(path.parent.relative_to(WEIGHTS).as_posix() for path in WEIGHTS.rglob(CARD)))


def load_evaluators(name_or_dir: str | Path, device: str = "cpu", head: HeadModel | None = None) -> EvaluatorSet:
    """The retrieval encoders to score with.

    Args:
        name_or_dir: A shipped set such as ``mini/talking@1``; a folder written by training; or a folder with released
            checkpoints (see `evaluators.retrieval.released`).
        device: Torch device.
        head: Head whose face vertices they will read. Released checkpoints need it; the others are checked against it.

    Raises:
        InputError: No such set; files that are missing, damaged or of another layout; weights or frozen encoders that
            are not those of the card; another head.
    """
    shipped = WEIGHTS / str(name_or_dir)
    folder = shipped if str(name_or_dir) in shipped_evaluators() else Path(name_or_dir)
    if not folder.is_dir():
        mend = nearest_names(str(name_or_dir), shipped_evaluators()) if shipped_evaluators() else ""
        raise InputError(Problem("no such evaluators", str(name_or_dir), "a shipped set or a folder", mend=mend))
    if not (folder / CARD).is_file():
        return load_released_set(folder, device, head)
    card = read_card(folder)
    name = str(name_or_dir) if folder == shipped else folder.resolve().name
    evaluators = EvaluatorSet(
        id=name,
        text=_text(folder, name, card, device),
        audio=_audio(folder, name, card, device),
        trained_on=card.track,
        head_sha256=card.head_sha256,
    )
    if head is not None:
        evaluators.check_head(head)
    return evaluators


def _checked(folder: Path, network: NetworkCard, encoder_sha256: str) -> Path:
    """The weights file, once it and the frozen encoder are known to be those of the card."""
    path, problems = folder / network.file, []
    digest = sha256_file(path) if path.is_file() else "no such file"
    if digest != network.sha256:
        problems.append(Problem("not the weights of the card", str(path), network.sha256, digest, "get them again"))
    if encoder_sha256 != network.encoder_sha256:
        mend = f"use the {network.encoder} that these evaluators were trained with"
        problems.append(Problem("another frozen encoder", str(folder), network.encoder_sha256, encoder_sha256, mend))
    if problems:
        raise InputError(problems)
    return path


def _text(folder: Path, name: str, card: EvaluatorCard, device: str) -> TextMotionEvaluator:
    from evaluators.retrieval.checkpoint import load_network
    from evaluators.retrieval.synchrony import SynchronyNetwork

    if "text" not in card.networks:
        raise InputError(Problem("no text network", str(folder / CARD), "networks.text"))
    own = card.networks["text"]
    encoder = text_encoder(own.encoder, device)
    path = _checked(folder, own, encoder.sha256)
    network, statistics = load_network(path)
    if isinstance(network, SynchronyNetwork):
        raise InputError(Problem("an audio network where the text network belongs", str(path)))
    return TextMotionEvaluator(
        id=f"{name}#text",
        sha256=content_hash(own.sha256, encoder.sha256, own.text_fields, own.layout),
        network=network.to(device),
        encoder=encoder,
        statistics=Statistics(statistics["mean"], statistics["std"], float(statistics["pose_scale"])),
        text_fields=own.text_fields,
        layout=own.layout,
        device=device,
    )


def _audio(folder: Path, name: str, card: EvaluatorCard, device: str) -> AudioMotionEvaluator | None:
    from evaluators.retrieval.checkpoint import load_network
    from evaluators.retrieval.timeline import TimelineNetwork

    own = card.networks.get("audio")
    if own is None:
        return None
    encoder = audio_encoder(own.encoder, device)
    path = _checked(folder, own, encoder.sha256)
    network, statistics = load_network(path)
    if isinstance(network, TimelineNetwork):
        raise InputError(Problem("a text network where the audio network belongs", str(path)))
    condition = statistics["condition_mean"], statistics["condition_std"]
    return AudioMotionEvaluator(
        id=f"{name}#audio",
        sha256=content_hash(own.sha256, encoder.sha256, str(own.window)),
        network=network.to(device),
        encoder=encoder,
        statistics=Statistics(statistics["mean"], statistics["std"], 1.0, *condition),
        neutral=statistics["neutral"].reshape(-1, 3),
        window=own.window,
        device=device,
    )
