"""The tokenizer's row: true motions encoded to tokens and decoded again. It needs the truth, so it is no generator."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from benchmark.corpus import Corpus
from benchmark.predictions import write_sample
from benchmark.progress import Progress, no_progress
from benchmark.protocol import FloatArray
from reference_models.weights import WEIGHTS, load_network

if TYPE_CHECKING:
    from reference_models.data import Clips
    from reference_models.recipe import Network

BATCH = 64


def write_reconstruction(
    folder: Path,
    track: str,
    corpus: Corpus,
    ids: Sequence[str],
    *,
    weights_track: str | None = None,
    roots: Sequence[Path] = (WEIGHTS,),
    progress: Progress = no_progress,
) -> Path:
    """Writes the reconstructed motions as predictions of a submission.

    Args:
        folder: The submission; receives ``predictions/<track>/0.npz``.
        track: Track the clips are of, with version.
        corpus: Where the true motions lie.
        ids: Clips to reconstruct.
        weights_track: Track the tokenizer was trained for; ``track`` when None.
        roots: Folders of weights, searched in order.
        progress: Told how many clips are done.

    Raises:
        InputError: No weights of the tokenizer for this track.
    """
    network = cast("Network", load_network("vqvae", weights_track or track, roots))

    def motions() -> Iterator[tuple[str, FloatArray]]:
        for first in range(0, len(ids), BATCH):
            chunk = ids[first : first + BATCH]
            yield from zip(chunk, reconstructed(network, [corpus.motion(clip) for clip in chunk]), strict=True)
            progress("reconstructing motions", first + len(chunk), len(ids))

    target = folder / "predictions" / track
    target.mkdir(parents=True, exist_ok=True)
    write_sample(target, 0, motions())
    return target


def reconstructed(network: "Network", motions: Sequence[FloatArray]) -> list[FloatArray]:
    """Motions (T, 56) through a tokenizer and back."""
    import torch

    from reference_models.parts.draws import Draws

    clips = bare_clips(motions)
    with torch.no_grad():
        made = network.generate(clips.batch(range(len(motions))), Draws([0] * len(motions)))
    return [row[: len(motion)].float().cpu().numpy().copy() for row, motion in zip(made, motions, strict=True)]


def bare_clips(motions: Sequence[FloatArray]) -> "Clips":
    """Clips of motions alone, without text and speech."""
    import torch

    from reference_models.data import Clips

    return Clips(
        ids=tuple(map(str, range(len(motions)))),
        frames=torch.tensor([len(motion) for motion in motions]),
        tokens=torch.zeros(0, 1, dtype=torch.float16),
        token_lengths=torch.zeros(len(motions), 6, dtype=torch.long),
        audio=None,
        motion=torch.from_numpy(np.concatenate(motions).astype(np.float32)),
    )
