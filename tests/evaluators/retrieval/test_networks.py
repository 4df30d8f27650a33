"""The released networks and losses, against golden values; checkpoints by key."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmark.errors import InputError
from evaluators.retrieval.checkpoint import (
    build,
    infer_sizes,
    load_network,
    load_released,
    read_released,
    save_network,
)
from evaluators.retrieval.losses import (
    false_negatives,
    four_kl_terms,
    gaussian_kl,
    info_nce,
    likeness,
    reconstruction,
)
from evaluators.retrieval.networks import RetrievalNetwork, Sizes
from evaluators.retrieval.synchrony import SynchronyNetwork, SynchronySizes
from evaluators.retrieval.timeline import TimelineNetwork, TimelineSizes

Arrays = dict[str, Tensor]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Arrays:
    with np.load(shared / "golden" / "tmr_tiny.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def _close(got: Tensor, expected: Tensor) -> None:
    scale = float(expected.abs().max())
    np.testing.assert_allclose(got.detach().numpy(), expected.numpy(), rtol=1e-4, atol=1e-4 * scale)


def test_text_and_motion_embeddings_equal_the_golden_ones(shared: Path, golden: Arrays) -> None:
    network = load_released(shared / "golden" / "tmr_text_tiny.pth")
    assert network.sizes == Sizes(36, 24, head_pose=3, latent=64, feed_forward=96, layers=2)
    text, _ = network.text_encoder(golden["text"], golden["text_mask"])
    motion, _ = network.motion_encoder(golden["motion"], golden["motion_mask"], golden["head_pose"])
    _close(text, golden["text_embedding"])
    _close(motion, golden["text_motion_embedding"])
    decoded, pose = network.motion_decoder(motion, golden["motion_mask"])
    _close(decoded, golden["decoded_motion"])
    _close(pose, golden["decoded_head_pose"])


def test_audio_embeddings_with_an_all_ones_mask_equal_the_golden_ones(shared: Path, golden: Arrays) -> None:
    network = load_released(shared / "golden" / "tmr_audio_tiny.pth")
    ones = torch.ones_like(golden["motion_mask"])
    motion, _ = network.motion_encoder(golden["motion"], ones)
    audio, _ = network.text_encoder(golden["audio"], ones)
    _close(motion, golden["audio_motion_embedding"])
    _close(audio, golden["audio_embedding"])
    decoded, pose = network.motion_decoder(motion, golden["motion_mask"])
    _close(decoded, golden["audio_decoded_motion"])
    assert pose is None


def test_losses_equal_the_golden_ones(golden: Arrays) -> None:
    text, motion = golden["text_embedding"], golden["text_motion_embedding"]
    _close(info_nce(text, motion, 0.1), golden["infonce_no_filter"])
    ignored = false_negatives(golden["sentence_embedding"], 0.80)
    assert ignored.any()
    _close(info_nce(text, motion, 0.1, ignored=ignored), golden["infonce_filter_0_8"])
    _close(gaussian_kl(text, golden["logvar_text"], motion, golden["logvar_motion"]), golden["kl_text_to_motion"])


def test_padding_and_batch_mates_do_not_change_an_embedding() -> None:
    torch.manual_seed(0)
    network = RetrievalNetwork(Sizes(9, 5, head_pose=3, latent=64, feed_forward=32, layers=2)).eval()
    motion, pose = torch.randn(4, 30, 9), torch.randn(4, 30, 3)
    mask = torch.zeros(4, 30, dtype=torch.bool)
    mask[0, :7], mask[1:, :] = True, True
    with torch.inference_mode():
        padded = network.motion_encoder(motion, mask, pose)[0][0]
        alone = network.motion_encoder(motion[:1, :7], mask[:1, :7], pose[:1, :7])[0][0]
    np.testing.assert_allclose(padded.numpy(), alone.numpy(), atol=1e-5)


def test_reconstruction_ignores_padded_frames() -> None:
    target, predicted = torch.zeros(2, 4, 3), torch.zeros(2, 4, 3)
    predicted[0, 1] = 3.0
    predicted[1, 2:] = 100.0
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    assert float(reconstruction(predicted, target, mask)) == pytest.approx(2.5 / 6)


def test_kl_vanishes_for_standard_normals_and_only_there() -> None:
    zero = torch.zeros(3, 5)
    assert float(four_kl_terms((zero, zero), (zero, zero))) == 0
    assert float(four_kl_terms((zero + 1, zero), (zero, zero))) == pytest.approx(1.5)


def test_euclidean_likeness_is_minus_the_scaled_distance() -> None:
    text, motion = torch.randn(3, 8), torch.randn(4, 8)
    expected = -torch.cdist(text, motion) / 8**0.5
    np.testing.assert_allclose(likeness(text, motion, "euclidean").numpy(), expected.numpy(), atol=1e-5)


def test_altered_motions_are_negatives_of_texts() -> None:
    text, motion = torch.randn(6, 8), torch.randn(6, 8)
    plain = info_nce(text, motion)
    far, near = info_nce(text, motion, more_motions=-text), info_nce(text, motion, more_motions=text)
    assert float(plain) < float(far) < float(near)


def _slow_info_nce(
    text: Tensor, motion: Tensor, temperature: float, more: Tensor, more_ignored: Tensor, more_weight: float
) -> float:
    """Pair by pair: an altered motion stands ``more_weight`` times in the row of every text it does not fit."""

    def attraction(one: Tensor, other: Tensor) -> float:
        return math.exp(float(one @ other / (one.norm() * other.norm())) / temperature)

    total, n = 0.0, len(text)
    for i in range(n):
        own = attraction(text[i], motion[i])
        row = sum(attraction(text[i], motion[j]) for j in range(n))
        row += sum(more_weight * attraction(text[i], more[m]) for m in range(len(more)) if not more_ignored[i, m])
        column = sum(attraction(text[j], motion[i]) for j in range(n))
        total -= math.log(own / row) + math.log(own / column)
    return total / (2 * n)


@pytest.mark.parametrize("weight", [1.0, 4.0, 0.25])
def test_altered_motions_count_by_their_weight_and_not_where_they_still_fit(weight: float) -> None:
    torch.manual_seed(1)
    text, motion, more = torch.randn(5, 8), torch.randn(5, 8), torch.randn(7, 8)
    ignored = torch.rand(5, 7) < 0.4
    got = info_nce(text, motion, 0.3, more_motions=more, more_ignored=ignored, more_weight=weight)
    assert float(got) == pytest.approx(_slow_info_nce(text, motion, 0.3, more, ignored, weight), rel=1e-5)
    none = info_nce(text, motion, 0.3, more_motions=more, more_ignored=torch.ones_like(ignored), more_weight=weight)
    assert float(none) == pytest.approx(float(info_nce(text, motion, 0.3)), rel=1e-6)


def test_missing_unknown_and_misshapen_tensors_are_all_listed(shared: Path) -> None:
    state = read_released(shared / "golden" / "tmr_text_tiny.pth")
    sizes = infer_sizes(state, "x")
    del state["motion_decoder.final_layer.bias"]
    state["surplus"] = torch.zeros(1)
    state["text_encoder.tokens"] = torch.zeros(3, 64)
    with pytest.raises(InputError) as caught:
        build(state, RetrievalNetwork(sizes), "x")
    message = str(caught.value)
    assert len(caught.value.problems) == 3
    assert all(name in message for name in ("motion_decoder.final_layer.bias", "surplus", "text_encoder.tokens"))


def test_a_file_of_another_layout_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="another layout"):
        read_released(tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_released(tmp_path / "b.pth")
    with pytest.raises(InputError, match="tensors are missing"):
        infer_sizes({}, "c")
    (tmp_path / "c.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not readable"):
        load_network(tmp_path / "c.safetensors")


NETWORKS = (
    RetrievalNetwork(Sizes(9, 5, head_pose=6, latent=64, feed_forward=32, layers=1, dropout=0.0)),
    TimelineNetwork(TimelineSizes(9, 5, width=32, feed_forward=16, layers=1, heads=2)),
    SynchronyNetwork(SynchronySizes(9, 5, width=8, layers=2, code=3)),
)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_stored_encoders_come_back_with_their_statistics(
    network: RetrievalNetwork | TimelineNetwork | SynchronyNetwork, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network.eval()
    mean = np.arange(9, dtype=np.float32)
    save_network(tmp_path / "n.safetensors", network, {"mean": mean}, half=False)
    again, statistics = load_network(tmp_path / "n.safetensors")
    np.testing.assert_array_equal(statistics["mean"], mean)
    assert type(again) is type(network) and again.sizes == network.sizes
    texts, mask = torch.rand(2, 6, 6 if isinstance(network, TimelineNetwork) else 5), torch.ones(2, 6, dtype=torch.bool)
    motion = torch.randn(2, 6, 9)
    pose = None if isinstance(network, SynchronyNetwork) else torch.randn(2, 6, 6)
    with torch.inference_mode():
        assert torch.equal(again.embed_condition(texts, mask), network.embed_condition(texts, mask))
        assert torch.equal(again.embed_motion(motion, mask, pose), network.embed_motion(motion, mask, pose))


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_stored_encoders_with_a_tensor_too_many_or_too_few_are_refused(
    network: RetrievalNetwork | TimelineNetwork | SynchronyNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "n.safetensors"
    save_network(path, network, {"mean": np.zeros(9)}, half=True)
    tensors = load_file(path)
    del tensors["network.motion_encoder.projection.bias"]
    tensors["network.surplus"] = torch.zeros(1)
    metadata = {"sizes": json.dumps(asdict(network.sizes)), "kind": type(network).__name__}
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(InputError) as caught:
        load_network(path)
    assert len(caught.value.problems) == 2
    save_file(tensors, path, metadata={**metadata, "kind": "AnotherNetwork"})
    with pytest.raises(InputError, match="not readable"):
        load_network(path)
