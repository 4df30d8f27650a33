"""The released MMHead evaluators from a user's folder.

The files are found by their released names, or named in an ``evaluators.toml`` in the folder:

| key | default | holds |
|---|---|---|
| ``text_checkpoint`` | ``tmr_vae_70.pth`` | text-motion network |
| ``audio_checkpoint`` | ``tmr_vae_180.pth`` | audio-motion network; no audio side without it |
| ``distilbert`` | ``distilbert-base-uncased`` | folder in the transformers format |
| ``wav2vec2`` | ``wav2vec2-base-960h`` | folder in the transformers format |
| ``mean``, ``std`` | ``train_test_val_mesh_mean.npy``, ``..._std.npy`` | (15069,), metres, over all 5,023 vertices |
| ``text_fields`` | all five | annotations joined, in this order, into the text that is read |

Which annotations the released network was trained on is not public: ``text_fields`` makes the choice explicit.
"""

import tomllib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import InputError, Problem
from benchmark.features import audio_encoder, text_encoder
from benchmark.head import HeadModel
from benchmark.protocol import TEXT_FIELDS
from benchmark.storage import content_hash, sha256_file
from evaluators.retrieval.evaluator import (
    RELEASED_FRAMES,
    AudioMotionEvaluator,
    EvaluatorSet,
    Statistics,
    TextMotionEvaluator,
)

SETTINGS = "evaluators.toml"
TextField = Literal["action", "emotion", "detail_expression", "detail_head_pose", "emotion_scenario"]


class ReleasedFiles(BaseModel):
    """Where the released files are, relative to their folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text_checkpoint: str = "tmr_vae_70.pth"
    audio_checkpoint: str = "tmr_vae_180.pth"
    distilbert: str = "distilbert-base-uncased"
    wav2vec2: str = "wav2vec2-base-960h"
    mean: str = "train_test_val_mesh_mean.npy"
    std: str = "train_test_val_mesh_std.npy"
    text_fields: tuple[TextField, ...] = TEXT_FIELDS  # type: ignore[assignment]


def load_released_set(folder: Path, device: str, head: HeadModel | None) -> EvaluatorSet:
    """The released networks, bit-compatible, from a folder laid out as this module says.

    Args:
        folder: Folder of released files.
        device: Torch device.
        head: FLAME with its masks: says which of the statistics' vertices are the face, and how the neutral face looks.

    Raises:
        InputError: Files that are missing or do not fit each other or the head; all of them.
    """
    files = _settings(folder)
    problems = [
        Problem("no such file or folder", str(folder / name), what)
        for name, what in (
            (files.text_checkpoint, "text-motion checkpoint"),
            (files.distilbert, "DistilBERT"),
            (files.mean, "vertex means"),
            (files.std, "vertex standard deviations"),
        )
        if not (folder / name).exists()
    ]
    has_audio = (folder / files.audio_checkpoint).is_file() or "audio_checkpoint" in files.model_fields_set
    if has_audio and not (folder / files.wav2vec2).is_dir():
        problems.append(Problem("no such file or folder", str(folder / files.wav2vec2), "wav2vec 2.0"))
    if head is None:
        mend = "give FLAME and its masks by --head and --masks"
        problems.append(Problem("released evaluators need the head they read", str(folder), mend=mend))
    if problems or head is None:
        raise InputError(problems)
    return EvaluatorSet(
        id=folder.resolve().name,
        text=_text(folder, files, device, head),
        audio=_audio(folder, files, device, head) if has_audio else None,
        trained_on="user",
        head_sha256=None,
    )


def _settings(folder: Path) -> ReleasedFiles:
    path = folder / SETTINGS
    if not path.is_file():
        return ReleasedFiles()
    try:
        return ReleasedFiles.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise InputError(Problem("not TOML", str(path), got=str(error))) from error
    except ValidationError as error:
        known = f"keys {', '.join(ReleasedFiles.model_fields)}"
        faults = [
            Problem(fault["msg"], f"{path}, {'.'.join(map(str, fault['loc']))}", known) for fault in error.errors()
        ]
        raise InputError(faults) from error


def _statistics(folder: Path, files: ReleasedFiles, head: HeadModel, features: int) -> Statistics:
    """Means and deviations of the face vertices, from those of the whole head."""
    whole = {name: _array(folder / file) for name, file in (("mean", files.mean), ("std", files.std))}
    problems = [
        Problem("statistics are of another head", str(folder / file), f"({head.n_vertices * 3},)", str(array.shape))
        for file, array in zip((files.mean, files.std), whole.values(), strict=True)
        if array.shape != (head.n_vertices * 3,)
    ]
    if features != len(head.face_ids) * 3:
        mend = "give the face mask that these checkpoints were trained with"
        got = f"{len(head.face_ids)} face vertices in {head.name}"
        problems.append(Problem("another face region", str(folder), f"{features // 3} vertices", got, mend))
    if problems:
        raise InputError(problems)
    mean, std = (array.reshape(-1, 3)[head.face_ids].reshape(-1) for array in whole.values())
    if not (np.isfinite(mean).all() and (std > 0).all()):
        got = "NaN, infinity or a deviation that is not positive"
        raise InputError(Problem("statistics cannot normalise the face", str(folder / files.std), got=got))
    return Statistics(mean, std)


def _array(path: Path) -> NDArray[np.float32]:
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(Problem("not readable", str(path), "an npy array of numbers", str(error))) from error


def _digest(checkpoint: Path, statistics: Statistics, *more: Any) -> str:
    return content_hash(sha256_file(checkpoint), statistics.mean, statistics.std, *more)


def _text(folder: Path, files: ReleasedFiles, device: str, head: HeadModel) -> TextMotionEvaluator:
    from evaluators.retrieval.checkpoint import load_released

    path, encoder = folder / files.text_checkpoint, text_encoder(folder / files.distilbert, device)
    network = load_released(path)
    _same_width(path, network.sizes.condition_features, encoder.dim, files.distilbert)
    if network.sizes.head_pose != 3:
        got = f"{network.sizes.head_pose} values"
        raise InputError(Problem("not the text-motion network", str(path), "a head-pose projection of 3 values", got))
    statistics = _statistics(folder, files, head, network.sizes.motion_features)
    return TextMotionEvaluator(
        id=f"{folder.resolve().name}#text",
        sha256=_digest(path, statistics, encoder.sha256, files.text_fields),
        network=network.to(device),
        encoder=encoder,
        statistics=statistics,
        text_fields=files.text_fields,
        layout="joined",
        device=device,
    )


def _audio(folder: Path, files: ReleasedFiles, device: str, head: HeadModel) -> AudioMotionEvaluator:
    from evaluators.retrieval.checkpoint import load_released

    path, encoder = folder / files.audio_checkpoint, audio_encoder(folder / files.wav2vec2, device)
    network = load_released(path)
    _same_width(path, network.sizes.condition_features, encoder.dim, files.wav2vec2)
    if network.sizes.head_pose:
        got = f"one of {network.sizes.head_pose} values"
        raise InputError(Problem("not the audio-motion network", str(path), "no head-pose projection", got))
    statistics = _statistics(folder, files, head, network.sizes.motion_features)
    neutral = np.asarray(head.template[head.face_ids], dtype=np.float32)
    return AudioMotionEvaluator(
        id=f"{folder.resolve().name}#audio",
        sha256=_digest(path, statistics, encoder.sha256, neutral),
        network=network.to(device),
        encoder=encoder,
        statistics=statistics,
        neutral=neutral,
        window=RELEASED_FRAMES,
        device=device,
    )


def _same_width(path: Path, expected: int, got: int, name: str) -> None:
    if expected != got:
        raise InputError(
            Problem(f"{name} is another model", str(path), f"features of width {expected}", f"width {got}")
        )
