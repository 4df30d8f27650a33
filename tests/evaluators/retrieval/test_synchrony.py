"""The network that judges frame by frame: still faces, amplitude, time, and what training teaches."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmark.protocol import MAX_FRAMES
from evaluators.retrieval._batches import padded
from evaluators.retrieval.synchrony import SynchronyNetwork, SynchronySizes, per_frame, synchrony_loss, unit

SIZES = SynchronySizes(9, 5, width=16, layers=3, code=4)
REACH = 6
"""Frames to each side that a code is made from: two for each of three convolutions."""


@pytest.fixture(scope="module")
def network() -> SynchronyNetwork:
    torch.manual_seed(0)
    return SynchronyNetwork(SIZES).eval()


def _sequences(width: int, *frames: int) -> list[np.ndarray]:
    rng = np.random.default_rng([width, *frames])
    return [rng.normal(size=(n, width)) for n in frames]


def _motions(network: SynchronyNetwork, motions: list[np.ndarray]) -> Tensor:
    (features,), mask = padded([(motion,) for motion in motions])
    with torch.inference_mode():
        return network.embed_motion(features, mask)


def _speech(network: SynchronyNetwork, clips: list[np.ndarray]) -> Tensor:
    (features,), mask = padded([(clip,) for clip in clips])
    with torch.inference_mode():
        return network.embed_condition(features, mask)


def _codes(embedding: Tensor) -> Tensor:
    """(B, dim) as (B, 200, code)."""
    return embedding.reshape(len(embedding), MAX_FRAMES, -1)


def test_padding_and_batch_mates_never_change_an_embedding(network: SynchronyNetwork) -> None:
    for embed, width in ((_motions, 9), (_speech, 5)):
        clips = _sequences(width, 40, 200, 7, 93, 2)
        alone = torch.cat([embed(network, [clip]) for clip in clips])
        np.testing.assert_allclose(embed(network, clips), alone, atol=1e-6)
    (features,), mask = padded([(clip,) for clip in _sequences(9, 40, 60)])
    with torch.inference_mode():
        clean = network.embed_motion(features, mask)
        features[~mask] = 50.0
        np.testing.assert_allclose(network.embed_motion(features, mask), clean, atol=1e-6)


def test_frames_after_the_end_are_zero_and_each_clips_codes_have_mean_zero(network: SynchronyNetwork) -> None:
    for embed, width in ((_motions, 9), (_speech, 5)):
        embedded = embed(network, _sequences(width, 40, 90))
        assert embedded.shape == (2, network.dim) == (2, MAX_FRAMES * SIZES.code)
        for clip, frames in zip(_codes(embedded), (40, 90), strict=True):
            assert not clip[frames:].any() and clip[:frames].any()
            np.testing.assert_allclose(clip.sum(0), 0, atol=1e-5)


def test_a_still_face_is_as_far_from_every_speech(network: SynchronyNetwork) -> None:
    still = np.repeat(_sequences(9, 1)[0], 80, axis=0)
    embedded = _motions(network, [still, still[:1]])
    np.testing.assert_allclose(embedded, 0, atol=1e-5)
    speech = _speech(network, _sequences(5, 80, 50, 120))
    np.testing.assert_allclose((speech - embedded[0]).norm(dim=1), 1, atol=1e-4)


def test_embeddings_of_speech_have_length_one_also_where_they_are_cut(network: SynchronyNetwork) -> None:
    np.testing.assert_allclose(_speech(network, _sequences(5, 30, 130, 260)).norm(dim=1), 1, rtol=1e-5)


def test_motions_are_scaled_by_their_frames_not_by_their_length(network: SynchronyNetwork) -> None:
    clips = _sequences(9, 40, 90)
    (features,), mask = padded([(clip,) for clip in clips])
    with torch.inference_mode():
        codes = network.motion_encoder(features, mask)
    embedded = _motions(network, clips)
    for clip, frames in enumerate((40, 90)):
        np.testing.assert_allclose(_codes(embedded)[clip, :frames] * frames**0.5, codes[clip, :frames], atol=1e-5)
    np.testing.assert_allclose(per_frame(codes / 2, mask), per_frame(codes, mask) / 2, atol=1e-7)
    np.testing.assert_allclose(unit(codes / 2), unit(codes), atol=1e-6)


def test_a_motion_twice_over_is_as_far_along(network: SynchronyNetwork) -> None:
    [clip] = _sequences(9, 100)
    once, twice = _motions(network, [clip, np.concatenate([clip, clip])]).norm(dim=1).tolist()
    assert twice == pytest.approx(once, rel=0.02)  # but for the frames about the seam


@pytest.mark.parametrize("frames", [2, 5, 10])
def test_a_late_motion_has_its_codes_late(network: SynchronyNetwork, frames: int) -> None:
    """In the interior, and but for each clip's mean, which is taken off."""
    [clip] = _sequences(9, 100)
    late = clip[np.clip(np.arange(100) - frames, 0, 99)]
    before, after = _motions(network, [clip, late])
    moved = after[frames * SIZES.code :] - before[: -frames * SIZES.code or None]
    inside = moved.reshape(-1, SIZES.code)[REACH : 100 - frames - REACH]
    np.testing.assert_allclose(inside, inside[:1].expand_as(inside), atol=1e-5)
    assert float((after - before).norm()) > 0.1 * float(before.norm())


def test_a_code_is_made_from_a_quarter_of_a_second_around_it(network: SynchronyNetwork) -> None:
    [clip] = _sequences(9, 60)
    changed = clip.copy()
    changed[30] += 3
    mask = torch.ones(2, 60, dtype=torch.bool)
    with torch.inference_mode():
        codes = network.motion_encoder(torch.tensor(np.stack([clip, changed]), dtype=torch.float32), mask)
    difference = codes[1] - codes[0]
    difference = difference - difference[0]  # of the means
    reached = np.flatnonzero(difference.abs().amax(1) > 1e-5)
    assert reached.tolist() == list(range(30 - REACH, 30 + REACH + 1))


def test_clips_beyond_200_frames_are_cut(network: SynchronyNetwork) -> None:
    for embed, width in ((_motions, 9), (_speech, 5)):
        [clip] = _sequences(width, 250)
        whole, cut = embed(network, [clip]), embed(network, [clip[:MAX_FRAMES]])
        np.testing.assert_allclose(whole, cut, atol=1e-6)


def _toy(clips: int = 12, frames: int = 60) -> tuple[Tensor, Tensor]:
    """Motions that are their speech, smooth over a few frames."""
    noise = torch.randn(clips, frames + 4, 5)
    audio = noise.unfold(1, 5, 1).mean(-1) * 2
    return torch.cat([audio, 0 * audio[..., :4]], dim=-1), audio


def test_training_brings_speech_and_its_motion_together_and_sets_a_late_one_apart() -> None:
    torch.manual_seed(1)
    network = SynchronyNetwork(SIZES)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    mask = torch.ones(12, 60, dtype=torch.bool)
    losses = []
    for _ in range(60):
        loss = synchrony_loss(network, *_toy(), mask, [2, 5, 10], 0.1, 1.0)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    motion, audio = (list(values.numpy()) for values in _toy())
    speech = _speech(network, audio)

    def apart(motions: list[np.ndarray]) -> float:
        return float((_motions(network, motions) - speech).norm(dim=1).mean())

    own = apart(motion)
    late = [apart([clip[np.clip(np.arange(60) - frames, 0, 59)] for clip in motion]) for frames in (2, 4, 8)]
    early = [apart([clip[np.clip(np.arange(60) + frames, 0, 59)] for clip in motion]) for frames in (2, 4, 8)]
    for side in (late, early):
        assert own + 0.2 < side[0] < side[1] < side[2]
    assert own < apart([0.5 * clip for clip in motion]) < apart([0 * clip for clip in motion]) == pytest.approx(1)
    assert apart(motion[1:] + motion[:1]) > 1


def test_the_loss_is_the_contrast_with_other_speech_and_with_the_own_at_other_times() -> None:
    """Against a slow reference of squared distances, row by row."""
    torch.manual_seed(2)
    network = SynchronyNetwork(SIZES).eval()
    motion, audio = torch.randn(3, 40, 9), torch.randn(3, 40, 5)
    mask = torch.ones(3, 40, dtype=torch.bool)
    mask[1, 30:] = False
    with torch.inference_mode():
        moved, codes = per_frame(network.motion_encoder(motion, mask), mask), network.audio_encoder(audio, mask)
        got = float(synchrony_loss(network, motion, audio, mask, [3, 7], 0.2, 0.5))
        near = torch.empty(3, 3)
        rows = []
        for i in range(3):
            for j in range(3):
                near[i, j] = -float((moved[i] - unit(codes[j : j + 1])[0]).square().sum()) / 0.2
            row = near[i].tolist()
            frames = int(mask[i].sum())
            for shift in (3, -3, 7, -7):
                other = torch.zeros(frames, SIZES.code)
                for frame in range(frames):
                    if 0 <= frame - shift < 40:
                        other[frame] = codes[i, frame - shift]
                other = other / other.norm()
                row.append(-float((moved[i, :frames] - other).square().sum()) / 0.2)
            rows.append(row)
        target = torch.arange(3)
        own = -0.2 * near.diagonal().mean()
        expected = 0.5 * (cross_entropy(torch.tensor(rows), target) + cross_entropy(near.mT, target)) + 0.5 * own
    assert got == pytest.approx(float(expected), rel=1e-5)
