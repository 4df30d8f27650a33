"""The network that embeds part by part in time: what reaches which part, and what reaches none."""

import numpy as np
import pytest
import torch
from torch import Tensor

from evaluators.retrieval._batches import padded
from evaluators.retrieval.layout import placed
from evaluators.retrieval.timeline import TimelineNetwork, TimelineSizes, _stretches

SIZES = TimelineSizes(9, 5, width=48, feed_forward=32, layers=2, heads=4)
OWN = SIZES.width // SIZES.parts
LENGTH = OWN**0.5
"""Of a part: the root of width over parts."""


@pytest.fixture(scope="module")
def network() -> TimelineNetwork:
    torch.manual_seed(0)
    return TimelineNetwork(SIZES).eval()


def _motions(*frames: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(sum(frames))
    return [(rng.normal(size=(n, 9)), rng.normal(size=(n, 6))) for n in frames]


def _embed_motions(network: TimelineNetwork, motions: list[tuple[np.ndarray, np.ndarray]]) -> Tensor:
    (features, pose), mask = padded(motions)
    with torch.inference_mode():
        return network.embed_motion(features, mask, pose)


def _embed_texts(network: TimelineNetwork, texts: list[np.ndarray]) -> Tensor:
    (tokens,), mask = padded([(text,) for text in texts])
    with torch.inference_mode():
        return network.embed_condition(tokens, mask)


def _text(*lengths: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, *lengths])
    return np.concatenate([placed(rng.normal(size=(n, 5)).astype(np.float32)) for n in lengths])


def _parts(embedding: Tensor) -> Tensor:
    """(B, width) as (B, parts, width / parts)."""
    return embedding.reshape(len(embedding), SIZES.parts, -1)


def _apart(one: Tensor, other: Tensor) -> np.ndarray:
    """Distance of each part, as a share of the largest there is: (parts,)."""
    distances: np.ndarray = ((_parts(one) - _parts(other)).norm(dim=-1) / (2 * LENGTH)).numpy()[0]
    return distances


def test_an_embedding_does_not_depend_on_padding_or_batch_mates(network: TimelineNetwork) -> None:
    motions, texts = _motions(40, 200, 7, 93, 1), [_text(9, 4), _text(30, 2, 11), _text(3), _text(1)]
    alone = torch.cat([_embed_motions(network, [motion]) for motion in motions])
    np.testing.assert_allclose(_embed_motions(network, motions), alone, atol=1e-5)
    alone = torch.cat([_embed_texts(network, [text]) for text in texts])
    np.testing.assert_allclose(_embed_texts(network, texts), alone, atol=1e-5)


def test_what_lies_in_the_padding_does_not_matter(network: TimelineNetwork) -> None:
    (features, pose), mask = padded(_motions(22, 37))
    with torch.inference_mode():
        clean = network.embed_motion(features, mask, pose)
        features[~mask], pose[~mask] = 50.0, -50.0
        np.testing.assert_allclose(network.embed_motion(features, mask, pose), clean, atol=1e-5)


def test_every_part_has_the_same_length(network: TimelineNetwork) -> None:
    for embedded in (_embed_motions(network, _motions(40, 80)), _embed_texts(network, [_text(9, 4), _text(5)])):
        assert embedded.shape == (2, network.dim) == (2, SIZES.width)
        np.testing.assert_allclose(_parts(embedded).norm(dim=-1), LENGTH, rtol=1e-5)


@pytest.mark.parametrize("moving", ["first", "last"])
def test_a_motion_at_one_end_reaches_the_part_of_that_end_only(network: TimelineNetwork, moving: str) -> None:
    [(still, pose)] = _motions(1)
    frames = 120
    still, pose = np.repeat(still, frames, axis=0), np.repeat(pose, frames, axis=0)
    moved, turned = still.copy(), pose.copy()
    third = slice(0, 40) if moving == "first" else slice(80, 120)
    rng = np.random.default_rng(3)
    moved[third] += rng.normal(size=(40, 9))
    turned[third] += rng.normal(size=(40, 6))
    for altered in ((moved, pose), (still, turned)):
        apart = _apart(_embed_motions(network, [altered]), _embed_motions(network, [(still, pose)]))
        near, far = (1, 3) if moving == "first" else (3, 1)
        assert apart[near] > 0.02 and apart[far] < 0.03 * apart[near]
        assert apart[far] < apart[2] < apart[near]


def test_what_happens_first_and_what_last_change_places_when_time_runs_backwards() -> None:
    """Under the windows, for steps that lie evenly in the clip."""
    torch.manual_seed(2)
    steps, mask = torch.randn(1, 30, 4), torch.ones(1, 30, dtype=torch.bool)
    time = (torch.arange(30)[None] + 0.5) / 30
    forwards, backwards = _stretches(steps, mask, time, 3), _stretches(steps.flip(1), mask, time, 3)
    np.testing.assert_allclose(backwards, forwards.flip(1), atol=1e-6)
    assert float((forwards[:, 0] - forwards[:, 2]).norm()) > 0.1


def test_windows_average_what_lies_near_their_centre() -> None:
    """Against a slow reference; what is padded has no weight."""
    torch.manual_seed(3)
    steps, mask, time = torch.randn(2, 11, 4), torch.ones(2, 11, dtype=torch.bool), torch.rand(2, 11)
    mask[1, 6:] = False
    got = _stretches(steps, mask, time, 3)
    for clip, stretch in np.ndindex(2, 3):
        centre, total, weights = (stretch + 0.5) / 3, torch.zeros(4), 0.0
        for step in range(6 if clip else 11):
            weight = np.exp(-(((float(time[clip, step]) - centre) / 0.2) ** 2))
            total, weights = total + weight * steps[clip, step], weights + weight
        np.testing.assert_allclose(got[clip, stretch], total / weights, atol=1e-5)


def test_a_still_motion_has_no_stretch_but_by_its_place(network: TimelineNetwork) -> None:
    """Place in the clip is told by half waves; without them all steps but those at the ends are alike."""
    [(still, pose)] = _motions(1)
    short, long = ((np.repeat(still, n, axis=0), np.repeat(pose, n, axis=0)) for n in (100, 200))
    apart = _apart(_embed_motions(network, [short]), _embed_motions(network, [long]))
    assert apart[1:].max() < 0.02


def test_texts_are_read_under_the_place_of_their_tokens(network: TimelineNetwork) -> None:
    plain = _text(60)
    for words, near, far in ((slice(0, 12), 1, 3), (slice(48, 60), 3, 1)):
        changed = plain.copy()
        changed[words, :5] += np.random.default_rng(4).normal(size=(12, 5))
        apart = _apart(_embed_texts(network, [changed]), _embed_texts(network, [plain]))
        assert apart[near] > 0.02 and apart[far] < 0.03 * apart[near]


def test_the_end_of_every_field_belongs_to_the_end(network: TimelineNetwork) -> None:
    """Place is that in the field, wherever in the row of tokens the field stands."""
    plain = _text(40, 40)
    for first in (0, 40):
        changed = plain.copy()
        changed[first + 32 : first + 40, :5] += np.random.default_rng(5).normal(size=(8, 5))
        apart = _apart(_embed_texts(network, [changed]), _embed_texts(network, [plain]))
        assert apart[3] > 0.02 and apart[1] < (0.03 if first else 0.5) * apart[3]


def test_place_is_not_a_feature_of_tokens(network: TimelineNetwork) -> None:
    """It moves a token between the stretches and changes nothing of the whole."""
    text = _text(20)
    moved = text.copy()
    moved[:, -1] = moved[::-1, -1]
    apart = _apart(_embed_texts(network, [moved]), _embed_texts(network, [text]))
    assert apart[0] < 1e-5 and min(apart[1], apart[3]) > 0.02


def test_head_pose_and_face_both_reach_every_part(network: TimelineNetwork) -> None:
    [(face, pose)] = _motions(80)
    plain = _embed_motions(network, [(face, pose)])
    for altered in ((0 * face, pose), (face, 0 * pose), (face[::-1], pose), (face, pose[::-1])):
        assert _apart(_embed_motions(network, [altered]), plain).min() > 0.01
