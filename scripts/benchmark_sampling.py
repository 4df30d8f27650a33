"""Measures how fast reference models sample, the fast way against the naive one, on the same weights.

    python scripts/benchmark_sampling.py [--markdown] [--threads 2] [--clips 64]

Every pair is measured in turns in one process, so that its ratio means something on a busy machine. Token models are
asked for the same random numbers both ways and must give the same tokens.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmark import features
from benchmark.corpus import load_corpus
from benchmark.mini.build import ensure
from benchmark.tracks import load_track, split_ids
from reference_models.catalogue import NETWORKS
from reference_models.data import Clips, features_of
from reference_models.generator import BATCH, row_seed
from reference_models.parts.draws import Draws
from reference_models.recipe import Context
from reference_models.weights import load_network

TRACK = "mini/talking@1"
LONGEST = 200


@dataclass(frozen=True)
class Line:
    """One comparison."""

    what: str
    """What is compared."""
    fast: float
    """Seconds a clip."""
    naive: float
    """Seconds a clip the naive way."""
    same: str
    """Whether both ways gave the same."""

    def cells(self) -> list[str]:
        """The line as a table's row."""
        return [self.what, f"{self.fast:.3f}", f"{self.naive:.3f}", f"{self.naive / self.fast:.1f}x", self.same]


def conditions(count: int) -> tuple[Clips, list[int]]:
    """Test clips with their features, and a seed each."""
    track, corpus = load_track(TRACK), load_corpus(ensure(splits=("test",)))
    asked = [corpus.condition(clip_id, True) for clip_id in split_ids(track, "test", corpus)[:count]]
    clips = features_of(asked, None, features.text_encoder(), features.audio_encoder())
    return clips, [row_seed(condition, 0) for condition in asked]


def seconds(run: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turns(fast: Callable[[], Any], naive: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Best wall time of each, measured in turns."""
    pairs = [(seconds(fast), seconds(naive)) for _ in range(repeats)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def token_model(clips: Clips, seeds: Sequence[int], few: int) -> Line:
    """MM2Face: cached and in batches of clips of about equal length, against one clip at a time, nothing kept."""
    network: Any = load_network("mm2face", TRACK)
    order = torch.argsort(clips.frames).tolist()
    chosen = order[len(order) // 2 - few // 2 :][:few]  # of middling length, as the whole set is on average
    tokens: dict[int, torch.Tensor] = {}

    def fast() -> None:
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            drawn = network.sample(clips.batch(rows), Draws([seeds[row] for row in rows]))
            tokens.update(zip(rows, drawn, strict=True))

    single: dict[int, torch.Tensor] = {}

    def naive() -> None:
        for row in chosen:
            single[row] = network.sample_uncached(clips.batch([row]), Draws([seeds[row]]))[0]

    quick, slow = in_turns(fast, naive, 3)
    same = sum(bool(torch.equal(single[row], tokens[row][: len(single[row])])) for row in chosen)
    return Line(
        "MM2Face: cached, batches of 32 / uncached, one by one", quick / len(order), slow / few, f"{same} of {few}"
    )


def guidance(clips: Clips, seeds: Sequence[int]) -> Line:
    """MDM: texts encoded once and guidance in one forward, against both at every step in two."""
    network: Any = load_network("mdm", TRACK)
    rows = torch.argsort(clips.frames).tolist()[len(clips) // 2 :][:8]
    batch = clips.batch(rows)
    noisy = torch.randn(len(rows), batch.padded, 56)
    step = torch.full((len(rows),), 10)
    together = network.denoiser(batch, network.config.guidance)

    def apart() -> torch.Tensor:
        alone = network.denoiser(batch, network.config.guidance)  # encodes the texts again
        result: torch.Tensor = alone(noisy, step)
        network.denoiser(batch, 1.0)(noisy, step)
        return result

    with torch.no_grad():
        quick, slow = in_turns(lambda: together(noisy, step), apart, 5)
    del seeds
    return Line("MDM, a step: texts encoded once, guidance in one forward / both anew", quick / 8, slow / 8, "yes")


def feedback_model(name: str, clips: Clips) -> Line:
    """FaceFormer and Imitator at 200 frames: cached step against the whole prefix anew. Weights do not matter."""
    torch.manual_seed(0)
    recipe = NETWORKS[name].recipe(name, "embedded")
    network: Any = NETWORKS[name].network(recipe.config, Context(clips.text_width, clips.audio_width)).eval()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.02 * torch.randn_like(value))  # outputs begin at zero: a face at rest would prove nothing
        batch = longest(clips).batch([0])
        made: dict[str, torch.Tensor] = {}

        def cached() -> None:
            made["cached"] = network.generate(batch, Draws([0]))

        def anew() -> None:
            made["anew"] = network.generate_uncached(batch)

        quick, slow = in_turns(cached, anew, 5)
    apart = float((made["cached"] - made["anew"]).abs().max())
    return Line(f"{name}, 200 frames: cached / whole prefix anew", quick, slow, f"to {1000 * apart:.1e} mm")


def cached_speech(clips: Clips) -> Line:
    """FaceDiffuser: speech features once a clip, against the network's own audio path at every step."""
    network: Any = load_network("facediffuser", TRACK)
    batch = clips.batch(torch.argsort(clips.frames).tolist()[:8])
    with torch.no_grad():
        first = network.generate(batch, Draws(range(8)))
        second = network.generate_slow(batch, Draws(range(8)))
        quick, slow = in_turns(
            lambda: network.generate(batch, Draws(range(8))), lambda: network.generate_slow(batch, Draws(range(8))), 2
        )
    apart = float((first - second).abs().max())
    return Line("FaceDiffuser: speech once / at every step", quick / 8, slow / 8, f"to {apart:.1e}")


def longest(clips: Clips) -> Clips:
    """One made-up clip of the greatest length."""
    rng = np.random.default_rng(0)
    return Clips(
        ids=("longest",),
        frames=torch.tensor([LONGEST]),
        tokens=torch.from_numpy(rng.normal(size=(60, clips.text_width)).astype(np.float16)),
        token_lengths=torch.full((1, 6), 10),
        audio=torch.from_numpy(rng.normal(size=(LONGEST, clips.audio_width)).astype(np.float16)),
        motion=None,
    )


def main() -> None:
    """Runs every comparison and prints one table."""
    from tabulate import tabulate

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clips", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clips, seeds = conditions(options.clips)
    lines = [token_model(clips, seeds, few=6), guidance(clips, seeds)]
    lines += [feedback_model(name, clips) for name in ("faceformer", "imitator")]
    lines += [cached_speech(clips)]
    headers = ["fast / naive", "fast, s a clip", "naive, s a clip", "ratio", "same"]
    style = "github" if options.markdown else "simple"
    print(tabulate([line.cells() for line in lines], headers=headers, tablefmt=style, disable_numparse=True))


if __name__ == "__main__":
    main()
