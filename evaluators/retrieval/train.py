"""Training the retrieval evaluators of a track: on its training clips, chosen on validation, reported on test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmark.corpus import Corpus
from benchmark.errors import InputError, Problem, nearest_names
from benchmark.features import audio_encoder, text_encoder
from benchmark.head import HeadModel, open_head
from benchmark.protocol import TEXT_FIELDS, FloatArray
from benchmark.storage import content_hash, sha256_file, write_json
from evaluators.retrieval.card import CARD, EvaluatorCard, NetworkCard, read_card
from evaluators.retrieval.data import Half, Told
from evaluators.retrieval.evaluator import Statistics
from evaluators.retrieval.load import load_evaluators
from evaluators.retrieval.preparation import (
    Normalisation,
    Source,
    audio_source,
    load_clips,
    motion_basis,
    text_source,
    told_by,
    vertex_statistics,
)
from evaluators.retrieval.presets import PRESETS, Preset
from evaluators.retrieval.probes import Truth
from evaluators.retrieval.report import set_report

if TYPE_CHECKING:
    from evaluators.retrieval._network_training import NetworkRun
    from evaluators.retrieval.training_state import TrainingState

Kind = Literal["text", "audio"]
Say = Callable[[str], None]


def train_evaluators(
    track_id: str,
    corpus: Corpus,
    splits: Mapping[str, Sequence[str]],
    *,
    has_audio: bool,
    out: Path,
    device: str = "cpu",
    seed: int = 0,
    resume: bool = False,
    minutes: float | None = None,
    progress: Say = lambda _: None,
    head: HeadModel | None = None,
    preset: str | Preset = "embedded",
    encoders: Mapping[Kind, str] | None = None,
) -> EvaluatorCard:
    """Trains the text-motion and, where there is speech, the audio-motion network of a track.

    Args:
        track_id: Named in the card.
        corpus: Where the clips lie.
        splits: Clip ids of ``train``, ``val`` and ``test``. Test clips are opened once all weights are chosen.
        has_audio: Whether the track has speech.
        out: Folder for weights, card and the state of unfinished runs.
        device: Torch device.
        seed: Of everything random: the same seed, data, device and libraries give the same weights.
        resume: Go on from a state in ``out``, to the weights an unbroken run would have given; finished networks stay.
        minutes: Time limit a network.
        progress: Told in one line at a time how far it is.
        head: Whose face vertices are read; the open head by default.
        preset: ``embedded`` or ``released``, or settings of one's own.
        encoders: Frozen encoders by kind: names or folders; by default ``minilm`` and ``logmel``.

    Returns:
        The card, also written to ``out``.

    Raises:
        InputError: No training clips, unknown preset, or a state of another run.
        KeyboardInterrupt: Interrupted between two steps; call again with ``resume`` to go on.
    """
    settings = _settings(preset)
    _check(track_id, splits)
    names: dict[Kind, str] = {"text": "minilm", "audio": "logmel", **(encoders or {})}
    head = (head or open_head()).to(device)
    card = EvaluatorCard(
        track=track_id,
        splits={split: content_hash(list(ids)) for split, ids in splits.items()},
        clips={split: len(ids) for split, ids in splits.items()},
        seed=seed,
        head=head.name,
        head_sha256=head.sha256,
        n_face=len(head.face_ids),
        networks={},
        versions=_versions(),
    )
    kinds: tuple[Kind, ...] = ("text", "audio") if has_audio else ("text",)
    finished = _finished(out, card) if resume else {}
    for kind in kinds:
        if kind not in finished:
            run = _prepare(kind, corpus, splits, head, settings, names[kind], seed, device, progress)
            finished[kind] = _train(run, out, names[kind], resume=resume, minutes=minutes, progress=progress)
            write_json(out / CARD, card.model_copy(update={"networks": finished}).model_dump(mode="json"))
    return _scored(out, corpus, splits, head, device, progress)


def _settings(preset: str | Preset) -> Preset:
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise InputError(Problem("unknown preset", preset, mend=nearest_names(preset, tuple(PRESETS))))
    return PRESETS[preset]


def _check(track_id: str, splits: Mapping[str, Sequence[str]]) -> None:
    problems = [
        Problem("too few clips to train on", f"{track_id}, split {split}", f"at least {least}", str(len(ids)))
        for split, least in (("train", 2), ("val", 2))
        if len(ids := splits.get(split, ())) < least
    ]
    seen = [set(splits.get(split, ())) for split in ("train", "val", "test")]
    if shared := (seen[0] & seen[1]) | (seen[0] & seen[2]) | (seen[1] & seen[2]):
        example = ", ".join(sorted(shared)[:3])
        problems.append(Problem("clips are in two splits", track_id, got=f"{len(shared)}, such as {example}"))
    if problems:
        raise InputError(problems)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "transformers", "numpy")}


def _finished(out: Path, card: EvaluatorCard) -> dict[Kind, NetworkCard]:
    """Networks that an earlier call of the same run has trained to the end."""
    if not (out / CARD).is_file():
        return {}
    earlier = read_card(out)
    same = all(getattr(earlier, key) == getattr(card, key) for key in ("track", "splits", "seed", "head_sha256"))
    if not same:
        mend = "start without resuming, or in another folder"
        raise InputError(Problem("belongs to a run with other data or settings", str(out / CARD), mend=mend))
    return dict(earlier.networks)


def _prepare(
    kind: Kind,
    corpus: Corpus,
    splits: Mapping[str, Sequence[str]],
    head: HeadModel,
    preset: Preset,
    encoder_name: str,
    seed: int,
    device: str,
    progress: Say,
) -> "NetworkRun":
    from evaluators.retrieval._network_training import NetworkRun

    source: Source
    if kind == "text":
        text = text_encoder(encoder_name, device)
        source, encoder_sha256 = text_source(corpus, text, preset.layout, progress), text.sha256
    else:
        audio = audio_encoder(encoder_name, device)
        source, encoder_sha256 = audio_source(corpus, audio, progress), audio.sha256

    def normalise(motions: Sequence[FloatArray]) -> Normalisation:
        own = vertex_statistics(head, motions)
        return own, motion_basis(head, motions, own, preset.components, seed) if preset.components else None

    def told(ids: Sequence[str]) -> list[tuple[Told, ...]]:
        by_field = [told_by(corpus.texts(clip_id)) for clip_id in ids]
        return [(reduce(or_, own),) for own in by_field] if preset.layout == "joined" else by_field

    against = told if kind == "text" and preset.alterations else None
    train, (statistics, basis) = load_clips(corpus, splits["train"], head, normalise, source, progress, against)
    if kind == "audio":
        mean, std = _condition_statistics(train.conditions)
        statistics = replace(statistics, condition_mean=mean, condition_std=std)
    val, _ = load_clips(corpus, splits["val"], head, (statistics, basis), source, progress)
    name = content_hash(encoder_sha256, head.sha256, [corpus.content_hash(clip_id) for clip_id in train.ids])
    neutral = head.template[head.face_ids].astype(np.float32)
    return NetworkRun(kind, preset, train, val, statistics, basis, neutral, seed, device, name)


def _condition_statistics(conditions: Sequence[Sequence[Half]]) -> tuple[FloatArray, FloatArray]:
    frames = np.concatenate([features[0] for features in conditions]).astype(np.float32)
    mean, std = frames.mean(0, dtype=np.float64), frames.std(0, dtype=np.float64)
    return mean.astype(np.float32), np.maximum(std, 1e-3).astype(np.float32)


def _train(
    run: "NetworkRun", out: Path, encoder_name: str, *, resume: bool, minutes: float | None, progress: Say
) -> NetworkCard:
    from evaluators.retrieval._network_training import train_network

    saved = out / f"{run.kind}.training.safetensors"
    state = train_network(run, saved, resume=resume, minutes=minutes, progress=progress)
    path = out / f"{run.kind}.safetensors"
    _store(path, run, state)
    saved.unlink(missing_ok=True)
    encoder = text_encoder(encoder_name) if run.kind == "text" else audio_encoder(encoder_name)
    return NetworkCard(
        file=path.name,
        sha256=sha256_file(path),
        encoder=encoder_name,
        encoder_sha256=encoder.sha256,
        text_fields=TEXT_FIELDS if run.kind == "text" else (),
        layout=run.preset.layout,
        window=run.preset.crop[1] if run.kind == "audio" and run.preset.crop[0] == run.preset.crop[1] else None,
        similarity="euclidean" if run.synchrony else run.preset.similarity,
        parameters=_parameters(path),
        steps=state.step,
        selected_step=state.best_step,
        seconds=round(state.seconds, 1),
        device=_device_name(run.device),
        scores={},
    )


def _store(path: Path, run: "NetworkRun", state: "TrainingState") -> None:
    from evaluators.retrieval._network_training import unfolded
    from evaluators.retrieval.checkpoint import save_network

    state.network.load_state_dict(state.best)
    network = state.network if run.basis is None else unfolded(state.network, run.basis)
    own: Statistics = run.statistics
    arrays = {"mean": own.mean, "std": own.std, "pose_scale": np.array(own.pose_scale)}
    if run.kind == "audio":
        arrays |= {
            "condition_mean": np.asarray(own.condition_mean),
            "condition_std": np.asarray(own.condition_std),
            "neutral": run.neutral.reshape(-1),
        }
    rank = None if run.basis is None else run.basis.shape[1]
    save_network(path, network, arrays, half=run.preset.half, rank=rank)


def _parameters(path: Path) -> int:
    from evaluators.retrieval.checkpoint import load_network

    return sum(value.numel() for value in load_network(path)[0].parameters())


def _device_name(device: str) -> str:
    import platform

    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"


def _scored(
    out: Path, corpus: Corpus, splits: Mapping[str, Sequence[str]], head: HeadModel, device: str, progress: Say
) -> EvaluatorCard:
    """The card with scores and probes taken by the stored weights, as scoring will load them; writes it."""
    evaluators, card = load_evaluators(out, device, head), read_card(out)
    networks = dict(card.networks)
    for split in ("val", "test"):
        ids = tuple(splits.get(split, ()))
        if not ids:
            continue
        progress(f"scores on {split}")
        for kind, report in set_report(evaluators, Truth(corpus, ids, head), probed=split == "test").items():
            scores = {**networks[kind].scores, split: report.scores}
            update: dict[str, object] = {"scores": scores}
            if split == "test":
                update |= {"probes": report.probes, "fields": report.fields, "fid_floor": report.fid_floor}
            networks[kind] = networks[kind].model_copy(update=update)
    card = card.model_copy(update={"networks": networks})
    write_json(out / CARD, card.model_dump(mode="json"))
    return card
