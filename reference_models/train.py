"""Trains reference models: each network of a model in turn, selected on the validation split.

The loop is Lightning Fabric's: precision, devices, checkpoints and logs are its business. A step is a function of the
seed and its number alone, so that a training that was stopped goes on exactly as if it had not been.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.corpus import Corpus
from benchmark.errors import InputError, Problem
from benchmark.progress import Progress, no_progress
from benchmark.storage import content_hash, home
from benchmark.tracks import Track, split_ids
from reference_models.catalogue import NETWORKS, chain, model_entry
from reference_models.recipe import Context, Recipe
from reference_models.weights import (
    CARD_FILE,
    WEIGHTS,
    find_weights,
    fusion_name,
    load_network,
    read_card,
    weights_folder,
)

if TYPE_CHECKING:
    from benchmark.head import HeadModel
    from reference_models.data import Clips

SPLITS = ("train", "val")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Encoders:
    """The frozen encoders a preset names."""

    text: str
    """``minilm``, or the folder's name."""
    audio: str
    """``logmel``, or the folder's name."""
    text_folder: Path | None = None
    """Folder in the transformers format, where the preset names one."""
    audio_folder: Path | None = None
    """The same for audio."""


def train(
    model: str,
    *,
    track: Track,
    corpus: Corpus | None,
    out: Path,
    preset: str = "embedded",
    fusion: str | None = None,
    device: str = "cpu",
    devices: int = 1,
    resume: bool = False,
    features: Path | None = None,
    steps: int | None = None,
    batch: int | None = None,
    minutes: float | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    head: "HeadModel | None" = None,
    text_encoder: Path | None = None,
    audio_encoder: Path | None = None,
    reuse: bool = True,
    progress: Progress = no_progress,
    say: Say = lambda _: None,
) -> list[Path]:
    """Trains a model's networks, those it is built on first.

    Args:
        model: Name in the catalogue.
        track: Track whose training split is learned and whose validation split selects.
        corpus: Where the clips lie; None where ``features`` has everything.
        out: Receives ``<track>/<network>/`` with weights, card, checkpoint and log.
        preset: ``embedded``, ``paper``, or for MM2Face ``small``.
        fusion: Variant of MM2Face, such as ``ft|a``.
        device: ``cpu``, ``cuda`` or another torch device type.
        devices: Processes of distributed training.
        resume: Go on from the last checkpoints in ``out``.
        features: Folder of the frozen features; below the home of mmbench when None.
        steps: Optimiser steps of every network, in place of the recipes'.
        batch: Clips a step, in place of the recipes'.
        minutes: Wall time of each network at most: a short trial tells how many of the steps fit.
        learning_rate: Of the model's own network, in place of the recipe's.
        seed: In place of the recipes'.
        head: Head model; the open head when None.
        text_encoder: Folder of the text encoder that the preset names.
        audio_encoder: Folder of the audio encoder that the preset names.
        reuse: Take networks the model is built on from ``out`` or the shipped weights where they are there.
        progress: Told how many steps are done.
        say: Told what happens.

    Returns:
        The folder of each network of the model, itself last.

    Raises:
        InputError: No such model or preset, a track without the speech it needs, features that do not fit.
    """
    entry = model_entry(model)
    if entry.talking_only and not track.has_audio:
        raise InputError(Problem("the model needs speech", model, "a track with audio", track.id))
    recipes = {name: _recipe(name, preset, model, fusion, steps, batch, learning_rate, seed) for name in chain(model)}
    encoders = encoders_of(model, preset, text_encoder, audio_encoder)
    folder = prepare(track, corpus, features, encoders, progress)
    clips = read_features(folder)
    done = []
    for name, recipe in recipes.items():
        variant = name if name != model or fusion is None else f"{name}.{fusion_name(fusion)}"
        target = weights_folder(variant, track.id, out)
        if name != model and reuse and (found := _present(name, track.id, (out, WEIGHTS))) is not None:
            say(f"{name}: taken from {found}")
            done.append(found)
            continue
        say(f"{variant}: {recipe.schedule.steps} steps on {device}")
        run = Run(name, track.id, preset, recipe, target, (out, WEIGHTS), head, encoders, minutes)
        run.launch(_given(name, clips), device, devices, resume, progress)
        done.append(target)
    return done


def encoders_of(model: str, preset: str, text_folder: Path | None = None, audio_folder: Path | None = None) -> Encoders:
    """The frozen encoders of a model's preset, with the folders the user gives for those that are not shipped."""
    recipe = model_entry(model).recipe(model, preset)
    return Encoders(recipe.text_encoder, recipe.audio_encoder, text_folder, audio_folder)


def are_prepared(features: Path | None) -> bool:
    """Whether a folder has the frozen features of both splits."""
    return features is not None and all((features / f"{split}.npz").is_file() for split in SPLITS)


def prepare(
    track: Track,
    corpus: Corpus | None,
    features: Path | None = None,
    encoders: Encoders = Encoders("minilm", "logmel"),
    progress: Progress = no_progress,
) -> Path:
    """Computes the frozen features of a track's training and validation clips, once.

    The folder can be carried to a machine that has neither the corpus nor the encoders.

    Args:
        track: The track.
        corpus: Where its clips lie; None to rely on what is there.
        features: Folder; below the home of mmbench when None.
        encoders: Frozen encoders.
        progress: Told how many clips are done.

    Returns:
        The folder, with one file a split.

    Raises:
        InputError: Features are missing and there is no corpus to compute them from.
    """
    from benchmark.features import audio_encoder, text_encoder
    from reference_models.data import features_of, write_clips

    if features is None:
        name = content_hash(track.id, encoders.text, encoders.audio, str(corpus.path.resolve() if corpus else ""))
        features = home() / "training" / name[:24]
    for split in SPLITS:
        path = features / f"{split}.npz"
        if path.is_file():
            continue
        if corpus is None:
            mend = "mmbench train --prepare"
            raise InputError(Problem("no features and no corpus to make them from", str(path), mend=mend))
        ids = split_ids(track, split, corpus)
        text = text_encoder(_place(encoders.text, encoders.text_folder, "--text-encoder"))
        audio = audio_encoder(_place(encoders.audio, encoders.audio_folder, "--audio-encoder"))
        conditions = (corpus.condition(clip_id, track.has_audio) for clip_id in ids)
        made = features_of(
            conditions, corpus.motion, text, audio if track.has_audio else None, progress, total=len(ids)
        )
        write_clips(path, made)
    return features


def read_features(folder: Path) -> dict[str, "Clips"]:
    """Clips of the training and validation split with their features."""
    from reference_models.data import read_clips

    return {split: read_clips(folder / f"{split}.npz") for split in SPLITS}


@dataclass(frozen=True)
class Run:
    """One network's training."""

    name: str
    """Network of the catalogue."""
    track: str
    """Track id."""
    preset: str
    """Preset of the recipe."""
    recipe: Recipe
    """Hyper-parameters and schedule."""
    folder: Path
    """Receives weights, card, checkpoint and log."""
    roots: tuple[Path, ...]
    """Where the networks it is built on lie."""
    head: "HeadModel | None"
    """Head model; the open head when None."""
    encoders: Encoders
    """What the features were made with."""
    minutes: float | None = None
    """Wall time that the steps are to fit into; None for all of them."""

    def launch(
        self, clips: dict[str, "Clips"], device: str, devices: int, resume: bool, progress: Progress = no_progress
    ) -> None:
        """Trains in this process, or in several."""
        from reference_models.loop import launch

        self.folder.mkdir(parents=True, exist_ok=True)
        launch(self, clips, device, devices, resume, progress)

    def needs(self, device: str = "cpu") -> dict[str, Any]:
        """The trained networks it is built on."""
        return {need: load_network(need, self.track, self.roots, device, head=self.head) for need in self._before}

    def network(self, clips: "Clips") -> Any:
        """The untrained network for clips of these features."""
        context = Context(clips.text_width, clips.audio_width, self.head, self.needs())
        return NETWORKS[self.name].network(self.recipe.config, context)

    def needed_sha256(self) -> dict[str, str]:
        """Hashes of the weights it is built on."""
        return {need: read_card(find_weights(need, self.track, self.roots)).sha256 for need in self._before}

    @property
    def _before(self) -> tuple[str, ...]:
        entry = NETWORKS[self.name]
        return entry.needs + entry.trained_with


def _given(name: str, clips: dict[str, "Clips"]) -> dict[str, "Clips"]:
    """The clips as the network is given them: without speech if it does not listen."""
    return clips if NETWORKS[name].hears else {split: replace(part, audio=None) for split, part in clips.items()}


def _recipe(
    name: str,
    preset: str,
    model: str,
    fusion: str | None,
    steps: int | None,
    batch: int | None,
    learning_rate: float | None,
    seed: int | None,
) -> Recipe:
    recipe = NETWORKS[name].recipe(name, preset)
    if fusion is not None and name == model:
        if model != "mm2face":
            raise InputError(Problem("only MM2Face has fusion variants", "--fusion", "mm2face", model))
        from reference_models.mm2face import ablation

        recipe = ablation(recipe, fusion)
    schedule = recipe.schedule
    if steps is not None:
        schedule = replace(schedule, steps=steps, validate_every=min(schedule.validate_every, steps))
    if batch is not None:
        schedule = replace(schedule, batch=batch)
    if learning_rate is not None and name == model:
        schedule = replace(schedule, learning_rate=learning_rate)
    if seed is not None:
        schedule = replace(schedule, seed=seed)
    return replace(recipe, schedule=schedule)


def _present(name: str, track: str, roots: Sequence[Path]) -> Path | None:
    folders = [weights_folder(name, track, root) for root in roots]
    return next((folder for folder in folders if (folder / CARD_FILE).is_file()), None)


def _place(encoder: str, folder: Path | None, option: str) -> str | Path:
    """What the feature functions take: a name of our own, or the folder the user gives for a preset's encoder."""
    if encoder in ("minilm", "logmel"):
        return encoder
    if folder is None:
        raise InputError(Problem("the preset's encoder is not shipped", option, f"a folder with {encoder}", "nothing"))
    return folder
