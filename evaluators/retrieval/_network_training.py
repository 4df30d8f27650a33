"""Training of one retrieval network. Imports torch: import this module inside functions only."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import InputError, Problem
from benchmark.protocol import FloatArray
from benchmark.storage import content_hash
from evaluators.metrics.distances import euclidean
from evaluators.metrics.r_precision import GALLERY, expected_r_precision
from evaluators.retrieval._batches import embed_all, padded
from evaluators.retrieval.data import Clips, Pair, altered, audio_pairs, batches, shows, text_pairs
from evaluators.retrieval.evaluator import Statistics
from evaluators.retrieval.layout import PLACE
from evaluators.retrieval.losses import false_negatives, four_kl_terms, info_nce, reconstruction
from evaluators.retrieval.networks import RetrievalNetwork, Sizes
from evaluators.retrieval.presets import Preset, Synchrony
from evaluators.retrieval.synchrony import SynchronyNetwork, SynchronySizes, synchrony_loss
from evaluators.retrieval.timeline import TimelineNetwork, TimelineSizes
from evaluators.retrieval.training_state import TrainingState

Kind = Literal["text", "audio"]
ClipNetwork = RetrievalNetwork | TimelineNetwork
Network = ClipNetwork | SynchronyNetwork
Latents = tuple[Tensor, ...]
_WARM_UP = 20
"""One step in so many raises the learning rate."""
_GROUPS = 4
"""Groups that a batch's texts are encoded in."""
_SMALL = 1e-5
"""Weight of the KL and latent terms in TMR."""


@dataclass(frozen=True)
class NetworkRun:
    """One network's training: everything that its weights depend on."""

    kind: Kind
    preset: Preset
    train: Clips
    val: Clips
    statistics: Statistics
    basis: FloatArray | None
    """(n_face * 3, k) basis of the clips' motion features; None where they are the vertices themselves."""
    neutral: FloatArray
    """(n_face, 3) metres: the head's neutral face."""
    seed: int
    device: str
    name: str
    """Of data and frozen encoder, so that another run's state is not mistaken for this one's."""

    @property
    def fingerprint(self) -> str:
        """Hash of the settings and clips."""
        settings = sorted(f"{key}={value}" for key, value in asdict(self.preset).items())
        return content_hash(self.kind, self.name, str(self.seed), settings, self.train.ids, self.val.ids)

    def new_state(self) -> TrainingState:
        """The untrained network and its optimiser."""
        with self._seeded(0):
            network = self._new_network().to(self.device)
        return TrainingState(network, torch.optim.AdamW(network.parameters(), lr=self.highest_rate, fused=True))

    @property
    def synchrony(self) -> Synchrony | None:
        """Settings of the audio network that judges frame by frame; None where another network is trained."""
        return self.preset.synchrony if self.kind == "audio" else None

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return (self.synchrony or self.preset).steps

    @property
    def highest_rate(self) -> float:
        """The largest learning rate."""
        return (self.synchrony or self.preset).learning_rate

    def _new_network(self) -> Network:
        preset, text = self.preset, self.kind == "text"
        motion = self.statistics.n_face * 3 if self.basis is None else self.basis.shape[1]
        condition = self.train.conditions[0][0].shape[1]
        if (own := self.synchrony) is not None:
            return SynchronyNetwork(SynchronySizes(motion, condition, own.width, own.layers, own.code))
        common = (preset.latent, preset.feed_forward, preset.layers, preset.heads)
        if text and (line := preset.timeline) is not None:
            if preset.layout != "placed":
                raise InputError(
                    Problem("the text network needs to know where a token stands", "preset", "layout placed")
                )
            strides = line.motion_stride, line.condition_stride
            parts = TimelineSizes(
                motion, condition - PLACE, preset.head_pose, *common, line.parts, *strides, line.phases
            )
            return TimelineNetwork(parts)
        return RetrievalNetwork(
            Sizes(motion, condition, preset.head_pose if text else 0, *common, dropout=preset.dropout)
        )

    @contextmanager
    def _seeded(self, step: int) -> Iterator[None]:
        """Torch's own generators as a function of seed and step inside the block, untouched outside."""
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed((self.seed << 32) + step)
            yield

    def train_step(self, state: TrainingState, items: Sequence[int]) -> float:
        """One optimiser step on a batch of clips; gives the loss."""
        rng = np.random.default_rng([self.seed, 2, state.step])
        make = text_pairs if self.kind == "text" else audio_pairs
        pairs = make(self.train, self.preset, items, rng)
        for group in state.optimiser.param_groups:
            group["lr"] = self.rate(state.step)
        with self._seeded(state.step + 1):
            state.network.train()
            if isinstance(state.network, SynchronyNetwork):
                loss = self._synchrony_loss(state.network, pairs, rng)
            else:
                loss = self._loss(state.network, pairs, rng)
            state.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            state.optimiser.step()
        state.step += 1
        return float(loss.detach())

    def rate(self, step: int) -> float:
        """Learning rate of a step, from 0."""
        if not self.preset.decay:
            return self.highest_rate
        left = 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.steps)))
        return self.highest_rate * min(1.0, (step + 1) * _WARM_UP / self.steps) * left

    def _synchrony_loss(self, network: SynchronyNetwork, pairs: list[Pair], rng: np.random.Generator) -> Tensor:
        own = self.synchrony
        assert own is not None
        channels = [
            (
                np.asarray(pair.motion, np.float32),
                self.statistics.condition(np.asarray(pair.condition, dtype=np.float32)),
            )
            for pair in pairs
        ]
        (motion, audio), mask = padded(channels, self.device)
        shifts = rng.choice(own.shifts, min(own.drawn, len(own.shifts)), replace=False).tolist()
        return synchrony_loss(network, motion, audio, mask, shifts, own.temperature, own.pull)

    def _loss(self, network: ClipNetwork, pairs: list[Pair], rng: np.random.Generator) -> Tensor:
        preset = self.preset
        (features, pose), frames = self._motions(network, [(pair.neck, pair.motion) for pair in pairs])
        conditions = [self.statistics.condition(np.asarray(pair.condition, dtype=np.float32)) for pair in pairs]
        ignored = None
        if self.kind == "text":
            own = conditions[0].shape[1] - (PLACE if preset.layout == "placed" else 0)
            sentences = torch.from_numpy(np.stack([tokens[:, :own].mean(0) for tokens in conditions])).to(self.device)
            ignored = false_negatives(sentences, preset.false_negative)
        changed, unchanged = self._altered(network, pairs, rng)

        def contrast(text: Tensor, motion: Tensor) -> Tensor:
            return preset.contrastive * info_nce(
                text,
                motion,
                preset.temperature,
                ignored=ignored,
                similarity=preset.similarity,
                more_motions=changed,
                more_ignored=unchanged,
                more_weight=preset.altered_weight,
            )

        if isinstance(network, TimelineNetwork):
            (text,) = self._in_groups(conditions, lambda tokens, mask: (network.embed_condition(tokens, mask),))
            return contrast(text, network.embed_motion(features, frames, pose))
        mean, log_variance = self._in_groups(conditions, network.text_encoder)
        text_latent = mean, log_variance
        motion_latent = network.motion_encoder(features, frames, pose)
        sampled = _sampled(text_latent), _sampled(motion_latent)
        compared = sampled if preset.sampled else (text_latent[0], motion_latent[0])
        small = four_kl_terms(text_latent, motion_latent) + torch.nn.functional.smooth_l1_loss(*sampled)
        return contrast(*compared) + _SMALL * small + self._reconstruction(network, sampled, (features, pose), frames)

    def _in_groups(self, conditions: list[FloatArray], encode: Callable[[Tensor, Tensor], Latents]) -> Latents:
        """What is encoded, in the order given; in groups of about equal length to pad less."""
        order = sorted(range(len(conditions)), key=lambda item: len(conditions[item]))
        size = -(-len(order) // _GROUPS)
        encoded = []
        for start in range(0, len(order), size):
            group = [(conditions[item],) for item in order[start : start + size]]
            (tokens,), mask = padded(group, self.device)
            encoded.append(encode(tokens, mask))
        back = torch.tensor(np.argsort(order), device=self.device)
        return tuple(torch.cat(parts)[back] for parts in zip(*encoded, strict=True))

    def _motions(
        self, network: ClipNetwork, motions: Sequence[tuple[np.ndarray, np.ndarray]]
    ) -> tuple[tuple[Tensor, Tensor | None], Tensor]:
        """Padded motion features, head pose where the network takes it, and the mask."""
        width = network.sizes.head_pose
        if not width:
            (features,), mask = padded([(motion,) for _, motion in motions], self.device)
            return (features, None), mask
        channels = [(motion, self.statistics.pose(neck, width)) for neck, motion in motions]
        (features, pose), mask = padded(channels, self.device)
        return (features, pose), mask

    def _altered(
        self, network: ClipNetwork, pairs: list[Pair], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """Latents of one altered version of each motion, and (B, B) true where it still fits its own texts."""
        kinds = self.preset.alterations
        if self.kind == "audio" or not kinds:
            return None, None
        chosen = [kinds[place] for place in rng.integers(len(kinds), size=len(pairs))]
        others = rng.integers(len(self.train), size=len(pairs))
        changed = [
            altered(self.train, pair, kind, self.train.necks[other])
            for pair, kind, other in zip(pairs, chosen, others, strict=True)
        ]
        (features, pose), mask = self._motions(network, changed)
        latent = network.embed_motion(features, mask, pose)
        fits = [not shows(pair.told, kind) for pair, kind in zip(pairs, chosen, strict=True)]
        return latent, torch.diag(torch.tensor(fits, device=latent.device))

    def _reconstruction(
        self,
        network: RetrievalNetwork,
        latents: tuple[Tensor, Tensor],
        target: tuple[Tensor, Tensor | None],
        mask: Tensor,
    ) -> Tensor:
        n = min(self.preset.reconstructed, len(mask))
        total = mask.new_zeros((), dtype=torch.float32)
        if not n:
            return total
        for latent in latents:
            motion, pose = network.motion_decoder(latent[:n], mask[:n])
            total = total + reconstruction(motion, target[0][:n], mask[:n])
            if pose is not None and target[1] is not None:
                total = total + reconstruction(pose, target[1][:n], mask[:n])
        return total

    def score(self, network: Network) -> float:
        """R-precision at 1 on validation: exact over galleries of 32, or of all clips when there are fewer."""
        network.eval()
        width = 0 if isinstance(network, SynchronyNetwork) else network.sizes.head_pose
        clips = self.val

        def encode_condition(inputs: list[Tensor], mask: Tensor) -> Tensor:
            return network.embed_condition(inputs[0], mask)

        def encode_motion(inputs: list[Tensor], mask: Tensor) -> Tensor:
            return network.embed_motion(inputs[0], mask, inputs[1] if width else None)

        texts = ((self.statistics.condition(np.concatenate(fields)),) for fields in clips.conditions)
        motions = (
            (clips.motion(i).astype(np.float32), self.statistics.pose(clips.necks[i], width or 3))
            for i in range(len(clips))
        )
        queries = embed_all(texts, encode_condition, self.device, network.dim)
        items = embed_all(motions, encode_motion, self.device, network.dim)
        if self.kind == "audio":
            queries, items = items, queries
        distances = euclidean(queries, items)
        return float(expected_r_precision(distances, 1, min(GALLERY, len(distances))).mean())


def unfolded(network: Network, basis: FloatArray) -> Network:
    """The encoders that read normalised vertices themselves, of a network trained on their coordinates in a basis."""
    own = network.motion_encoder.projection.weight.detach().cpu()
    state = {key: value for key, value in network.state_dict().items() if not key.startswith("motion_decoder.")}
    state["motion_encoder.projection.weight"] = own @ torch.from_numpy(basis).T
    whole: Network
    if isinstance(network, RetrievalNetwork):
        whole = RetrievalNetwork(replace(network.sizes, motion_features=len(basis)))
        del whole.motion_decoder  # it decodes to coordinates, and scoring has no use for it
    elif isinstance(network, TimelineNetwork):
        whole = TimelineNetwork(replace(network.sizes, motion_features=len(basis)))
    else:
        whole = SynchronyNetwork(replace(network.sizes, motion_features=len(basis)))
    whole.load_state_dict(state)
    return whole.eval()


def _sampled(latent: tuple[Tensor, Tensor]) -> Tensor:
    mean, log_variance = latent
    return mean + torch.randn_like(mean) * (0.5 * log_variance).exp()


def train_network(
    run: NetworkRun, saved: Path, *, resume: bool, minutes: float | None, progress: Callable[[str], None]
) -> TrainingState:
    """Trains until the preset's steps are done or the time is up; the state's ``best`` holds what validation chose.

    Args:
        run: The training.
        saved: File of the state, written every so often and when interrupted.
        resume: Whether to go on from that file where it exists.
        minutes: Time limit of this call.
        progress: Told how far it is.

    Raises:
        KeyboardInterrupt: Interrupted; the state was saved after the last whole step.
    """
    state = run.new_state()
    if resume and saved.is_file():
        state.restore(saved, run.fingerprint)
        progress(f"{run.kind} network: going on at step {state.step}")
    start, before, told = time.monotonic(), state.seconds, 0.0
    order = batches([run.train.frames(i) for i in range(len(run.train))], run.preset.batch, run.seed, state.step)
    first, losses = state.step, []
    with _interruption() as interrupted:
        while state.step < run.steps:
            losses.append(run.train_step(state, next(order)))
            elapsed = time.monotonic() - start
            state.seconds = before + elapsed
            out_of_time = minutes is not None and elapsed > 60 * minutes
            last = out_of_time or state.step == run.steps
            if state.step % run.preset.validate_every == 0 or last:
                _validate(run, state)
            if state.step % run.preset.checkpoint_every == 0 or last or interrupted():
                state.save(saved, run.fingerprint)
            if interrupted():
                raise KeyboardInterrupt
            if elapsed - told > 10 or last:
                told = elapsed
                left = (run.steps - state.step) * elapsed / (state.step - first)
                if minutes is not None:
                    left = min(left, 60 * minutes - elapsed)
                progress(_line(run, state, float(np.mean(losses[-50:])), max(0.0, left)))
            if last:
                break
    return state


def _validate(run: NetworkRun, state: TrainingState) -> None:
    score = run.score(state.network)
    if score >= state.best_score:  # of equals the later one, which was trained for longer
        state.best_score, state.best_step = score, state.step
        state.best = {key: value.detach().cpu().clone() for key, value in state.network.state_dict().items()}


def _line(run: NetworkRun, state: TrainingState, loss: float, left: float) -> str:
    best = f"R@1 on validation {state.best_score:.3f} at step {state.best_step}" if state.best else "not validated yet"
    return (
        f"{run.kind} network: step {state.step} of {run.steps}, loss {loss:.3f}, {best}, "
        f"about {left / 60:.0f} min {left % 60:02.0f} s left"
    )


@contextmanager
def _interruption() -> Iterator[Callable[[], bool]]:
    """Turns Ctrl-C into a question that is asked between steps, so that no step is left half done."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        pressed.set()

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, previous)
