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

from benchmark.protocol import FloatArray
from benchmark.storage import content_hash
from evaluators.metrics.distances import euclidean
from evaluators.metrics.r_precision import GALLERY, expected_r_precision
from evaluators.retrieval._batches import embed_all, padded
from evaluators.retrieval.data import Clips, Pair, altered, audio_pairs, batches, text_pairs
from evaluators.retrieval.evaluator import Statistics
from evaluators.retrieval.losses import false_negatives, four_kl_terms, info_nce, reconstruction
from evaluators.retrieval.networks import RetrievalNetwork, Sizes
from evaluators.retrieval.presets import Preset
from evaluators.retrieval.training_state import TrainingState

Kind = Literal["text", "audio"]
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
        preset = self.preset
        sizes = Sizes(
            motion_features=self.statistics.n_face * 3 if self.basis is None else self.basis.shape[1],
            condition_features=self.train.conditions[0][0].shape[1],
            head_pose=preset.head_pose if self.kind == "text" else 0,
            latent=preset.latent,
            feed_forward=preset.feed_forward,
            layers=preset.layers,
            heads=preset.heads,
            dropout=preset.dropout,
        )
        with self._seeded(0):
            network = RetrievalNetwork(sizes).to(self.device)
        return TrainingState(network, torch.optim.AdamW(network.parameters(), lr=preset.learning_rate, fused=True))

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
            group["lr"] = learning_rate(self.preset, state.step)
        with self._seeded(state.step + 1):
            state.network.train()
            loss = self._loss(state.network, pairs, rng)
            state.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            state.optimiser.step()
        state.step += 1
        return float(loss.detach())

    def _loss(self, network: RetrievalNetwork, pairs: list[Pair], rng: np.random.Generator) -> Tensor:
        preset = self.preset
        width = network.sizes.head_pose
        (features, pose), frames = self._motions([(neck, motion) for neck, motion, _ in pairs], width)
        conditions = [self.statistics.condition(condition.astype(np.float32)) for _, _, condition in pairs]
        text = self._encoded_conditions(network, conditions)
        motion = network.motion_encoder(features, frames, pose)
        latents = _sampled(text), _sampled(motion)
        compared = latents if preset.sampled else (text[0], motion[0])
        ignored = None
        if self.kind == "text":
            sentences = torch.from_numpy(np.stack([tokens.mean(0) for tokens in conditions])).to(self.device)
            ignored = false_negatives(sentences, preset.false_negative)
        contrastive = info_nce(
            compared[0],
            compared[1],
            preset.temperature,
            ignored=ignored,
            similarity=preset.similarity,
            more_motions=self._altered(network, pairs, rng),
        )
        small = four_kl_terms(text, motion) + torch.nn.functional.smooth_l1_loss(*latents)
        loss = preset.contrastive * contrastive + _SMALL * small
        return loss + self._reconstruction(network, latents, (features, pose), frames)

    def _encoded_conditions(self, network: RetrievalNetwork, conditions: list[FloatArray]) -> tuple[Tensor, Tensor]:
        """Means and log-variances in the order given, encoded in groups of about equal length to pad less."""
        order = sorted(range(len(conditions)), key=lambda item: len(conditions[item]))
        size = -(-len(order) // _GROUPS)
        encoded = []
        for start in range(0, len(order), size):
            group = [(conditions[item],) for item in order[start : start + size]]
            (tokens,), mask = padded(group, self.device)
            encoded.append(network.text_encoder(tokens, mask))
        back = torch.tensor(np.argsort(order), device=self.device)
        mean, log_variance = (torch.cat(parts)[back] for parts in zip(*encoded, strict=True))
        return mean, log_variance

    def _motions(
        self, motions: Sequence[tuple[np.ndarray, np.ndarray]], width: int
    ) -> tuple[tuple[Tensor, Tensor | None], Tensor]:
        """Padded motion features, head pose where the network takes it, and the mask."""
        if not width:
            (features,), mask = padded([(motion,) for _, motion in motions], self.device)
            return (features, None), mask
        channels = [(motion, self.statistics.pose(neck, width)) for neck, motion in motions]
        (features, pose), mask = padded(channels, self.device)
        return (features, pose), mask

    def _altered(self, network: RetrievalNetwork, pairs: list[Pair], rng: np.random.Generator) -> Tensor | None:
        """Latents of altered versions of some of the batch's motions."""
        if self.kind == "audio" or not self.preset.alterations:
            return None
        share = max(1, len(pairs) // 8)
        changed = [
            altered(pairs[item][0], pairs[item][1], kind)
            for kind in self.preset.alterations
            for item in rng.choice(len(pairs), share, replace=False)
        ]
        (features, pose), mask = self._motions(changed, network.sizes.head_pose)
        latent: Tensor = network.motion_encoder(features, mask, pose)[0]
        return latent

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

    def score(self, network: RetrievalNetwork) -> float:
        """R-precision at 1 on validation: exact over galleries of 32, or of all clips when there are fewer."""
        network.eval()
        width, clips, dim = network.sizes.head_pose, self.val, network.sizes.latent

        def encode_condition(inputs: list[Tensor], mask: Tensor) -> Tensor:
            mean: Tensor = network.text_encoder(inputs[0], mask)[0]
            return mean

        def encode_motion(inputs: list[Tensor], mask: Tensor) -> Tensor:
            mean: Tensor = network.motion_encoder(inputs[0], mask, inputs[1] if width else None)[0]
            return mean

        texts = ((self.statistics.condition(np.concatenate(fields)),) for fields in clips.conditions)
        motions = (
            (clips.motion(i).astype(np.float32), self.statistics.pose(clips.necks[i], width or 3))
            for i in range(len(clips))
        )
        queries = embed_all(texts, encode_condition, self.device, dim)
        items = embed_all(motions, encode_motion, self.device, dim)
        if self.kind == "audio":
            queries, items = items, queries
        distances = euclidean(queries, items)
        return float(expected_r_precision(distances, 1, min(GALLERY, len(distances))).mean())


def unfolded(network: RetrievalNetwork, basis: FloatArray) -> RetrievalNetwork:
    """The encoders that read normalised vertices themselves, of a network trained on their coordinates in a basis."""
    whole = RetrievalNetwork(replace(network.sizes, motion_features=len(basis)))
    own = network.motion_encoder.projection.weight.detach().cpu()
    state = {key: value for key, value in network.state_dict().items() if not key.startswith("motion_decoder.")}
    state["motion_encoder.projection.weight"] = own @ torch.from_numpy(basis).T
    whole.load_state_dict(state, strict=False)
    del whole.motion_decoder  # it decodes to coordinates, and scoring has no use for it
    return whole.eval()


def _sampled(latent: tuple[Tensor, Tensor]) -> Tensor:
    mean, log_variance = latent
    return mean + torch.randn_like(mean) * (0.5 * log_variance).exp()


def learning_rate(preset: Preset, step: int) -> float:
    """Learning rate of a step, from 0."""
    if not preset.decay:
        return preset.learning_rate
    left = 0.5 * (1 + math.cos(math.pi * min(1.0, step / preset.steps)))
    return preset.learning_rate * min(1.0, (step + 1) * _WARM_UP / preset.steps) * left


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
        while state.step < run.preset.steps:
            losses.append(run.train_step(state, next(order)))
            elapsed = time.monotonic() - start
            state.seconds = before + elapsed
            out_of_time = minutes is not None and elapsed > 60 * minutes
            last = out_of_time or state.step == run.preset.steps
            if state.step % run.preset.validate_every == 0 or last:
                _validate(run, state)
            if state.step % run.preset.checkpoint_every == 0 or last or interrupted():
                state.save(saved, run.fingerprint)
            if interrupted():
                raise KeyboardInterrupt
            if elapsed - told > 10 or last:
                told = elapsed
                left = (run.preset.steps - state.step) * elapsed / (state.step - first)
                if minutes is not None:
                    left = min(left, 60 * minutes - elapsed)
                progress(_line(run, state, float(np.mean(losses[-50:])), max(0.0, left)))
            if last:
                break
    return state


def _validate(run: NetworkRun, state: TrainingState) -> None:
    score = run.score(state.network)
    if score > state.best_score:
        state.best_score, state.best_step = score, state.step
        state.best = {key: value.detach().cpu().clone() for key, value in state.network.state_dict().items()}


def _line(run: NetworkRun, state: TrainingState, loss: float, left: float) -> str:
    best = f"R@1 on validation {state.best_score:.3f} at step {state.best_step}" if state.best else "not validated yet"
    return (
        f"{run.kind} network: step {state.step} of {run.preset.steps}, loss {loss:.3f}, {best}, "
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
