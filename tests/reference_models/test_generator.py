"""A reference model as a generator: clips keep their motions in any company, weights are those that were named."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmark import features
from benchmark.errors import InputError
from benchmark.protocol import Condition, FloatArray, Generator, Texts
from benchmark.storage import write_json
from reference_models import generator
from reference_models.batch import Batch
from reference_models.generator import ReferenceGenerator, pinned, row_seed
from reference_models.parts.draws import Draws
from reference_models.pins import Pins, check_pins, read_pins, weight_hashes, write_pins
from reference_models.recipe import Context
from reference_models.reconstruct import reconstructed
from reference_models.vqvae import VQVAE, Config
from reference_models.weights import WeightsCard, weights_folder

TRACK = "mini/talking@1"
WIDTH = 8


class TinyText:
    """Tokens that depend on the words alone."""

    dim = WIDTH

    def tokens(self, texts: Sequence[str]) -> list[FloatArray]:
        return [np.full((len(text.split()), WIDTH), len(text) / 50, np.float32) for text in texts]


class TinyAudio:
    """The first sample of every frame."""

    dim = 1

    def frames(self, audio: FloatArray, frames: int) -> FloatArray:
        return audio[: frames * 640 : 640, None]


class TinyNetwork(nn.Module):
    """Noise plus what it was told; garbage beyond a clip's end."""

    def __init__(self, mesh: bool = False) -> None:
        super().__init__()
        self.mesh = mesh
        self.calls: list[list[int]] = []

    def generate(self, batch: Batch, draws: Draws) -> Tensor:
        assert batch.motion is None and not torch.is_grad_enabled()
        self.calls.append(batch.frames.tolist())
        noise = draws.normal(batch.padded, 56, torch.device("cpu")) + batch.sentence.mean(1)[:, None, None]
        if batch.audio is not None:
            noise = noise + batch.audio
        noise = torch.where(batch.mask[..., None], noise, torch.nan)
        return noise[..., :12].reshape(*noise.shape[:2], 4, 3) if self.mesh else noise


def condition(name: str, text: str, frames: int, level: float | None = None) -> Condition:
    audio = None if level is None else np.full(frames * 640, level, np.float32)
    return Condition(name, Texts(text, "calm", "smiles", "nods", "a day"), audio, frames)


def card(name: str, sha256: str = "0", **changes: object) -> WeightsCard:
    values: dict[str, object] = {
        "name": name, "track": TRACK, "preset": "embedded", "sha256": sha256, "parameters": 1, "bytes": 2,
        "config": {}, "schedule": {}, "text_width": WIDTH, "audio_width": 0, "text_encoder": "minilm",
        "audio_encoder": None, "head": "open_head", "device": "cpu", "seconds": 1.0, "steps": 1, "best_step": 1,
        "seed": 0, "validation": {},
    }  # fmt: skip
    return WeightsCard(**{**values, **changes})  # type: ignore[arg-type]


def write_cards(root: Path, *cards: WeightsCard) -> Path:
    for one in cards:
        write_json(weights_folder(one.name, one.track, root) / "card.json", asdict(one))
    return root


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> TinyNetwork:
    tiny = TinyNetwork()
    monkeypatch.setattr(generator, "load_network", lambda *_: tiny)
    monkeypatch.setattr(features, "text_encoder", lambda *_: TinyText())
    monkeypatch.setattr(features, "audio_encoder", lambda *_: TinyAudio())
    return tiny


@pytest.fixture
def deaf(network: TinyNetwork, tmp_path: Path) -> ReferenceGenerator:  # noqa: ARG001
    return ReferenceGenerator("mdm", TRACK, (write_cards(tmp_path, card("mdm")),), batch=2)


ASKED = [condition(name, f"says {name}", frames) for name, frames in (("aa", 17), ("b", 9), ("c", 30), ("d", 12))]


def test_motions_come_in_order_cut_to_their_frames_from_batches_of_like_length(
    deaf: ReferenceGenerator, network: TinyNetwork
) -> None:
    assert isinstance(deaf, Generator)
    motions = deaf.generate(ASKED, seed=3)
    assert [motion.array.shape for motion in motions] == [(c.frames, 56) for c in ASKED]
    assert all(np.isfinite(motion.array).all() and motion.array.dtype == np.float32 for motion in motions)
    assert network.calls == [[9, 12], [17, 30]]


def test_a_clips_motion_depends_on_what_it_is_told_and_the_seed_not_on_company_order_or_id(
    deaf: ReferenceGenerator,
) -> None:
    together = deaf.generate(ASKED, seed=3)
    backwards = deaf.generate(ASKED[::-1], seed=3)[::-1]
    renamed = [deaf.generate([condition("other", c.texts.action, c.frames)], seed=3)[0] for c in ASKED]
    for first, second, third in zip(together, backwards, renamed, strict=True):
        np.testing.assert_allclose(first.array, second.array, atol=1e-6)
        np.testing.assert_allclose(first.array, third.array, atol=1e-6)
    for other in (deaf.generate(ASKED, seed=4), deaf.generate([condition("x", "other", 17)], seed=3)):
        assert np.abs(other[0].array - together[0].array).max() > 0.1
    seeds = {row_seed(c, seed) for c in [*ASKED, condition("e", "says b", 10)] for seed in (3, 4)}
    assert len(seeds) == 10


def test_speech_is_encoded_only_for_networks_that_listen(deaf: ReferenceGenerator, tmp_path: Path) -> None:
    quiet, loud = ([condition("a", "x", 10, level)] for level in (0.0, 0.5))
    np.testing.assert_array_equal(deaf.generate(quiet, 1)[0].array, deaf.generate(loud, 1)[0].array)
    root = write_cards(tmp_path, card("mm2face", audio_encoder="logmel"))
    hears = ReferenceGenerator("mm2face", TRACK, (root,))
    difference = hears.generate(loud, 1)[0].array - hears.generate(quiet, 1)[0].array
    np.testing.assert_allclose(difference, 0.5, atol=1e-3)
    with pytest.raises(InputError, match="no speech"):
        hears.generate(ASKED, 1)


def test_mesh_networks_give_vertices(deaf: ReferenceGenerator, network: TinyNetwork) -> None:
    network.mesh = True
    [motion] = deaf.generate(ASKED[:1], seed=0)
    assert motion.vertices is not None and motion.vertices.shape == (17, 4, 3)


@pytest.mark.usefixtures("network")
def test_an_encoder_that_is_not_shipped_is_named_in_the_message_and_taken_from_the_folder(
    tmp_path: Path,
) -> None:
    root = write_cards(tmp_path, card("mdm", text_encoder="distilbert-base-uncased"))
    with pytest.raises(InputError, match="distilbert-base-uncased"):
        ReferenceGenerator("mdm", TRACK, (root,))
    assert ReferenceGenerator("mdm", TRACK, (root,), text_encoder="/models/distilbert").generate(ASKED, 0)


def submission(folder: Path, pins: Pins) -> Path:
    write_pins(folder / "weights.json", pins)
    return folder


@pytest.mark.usefixtures("network")
def test_a_submission_runs_on_the_weights_it_names_and_on_no_others(tmp_path: Path) -> None:
    root = write_cards(tmp_path / "w", card("vqvae", "v1"), card("mm2face", "m1", needs={"vqvae": "v1"}))
    named = {TRACK: {"mm2face": "m1", "vqvae": "v1"}}
    assert weight_hashes("mm2face", TRACK, (root,)) == named[TRACK]
    good = submission(tmp_path / "s", Pins(weights=named, root=str(root)))
    assert pinned("mm2face", TRACK, good).generate(ASKED, 0)
    write_cards(root, card("vqvae", "v2"))
    with pytest.raises(InputError, match=r"vqvae: other weights.*expected v1; got v2"):
        pinned("mm2face", TRACK, good)
    write_pins(good / "weights.json", Pins(weights={}, root=str(root)))
    with pytest.raises(InputError, match="no weights for this track"):
        pinned("mm2face", TRACK, good)


def test_on_a_corpus_of_the_users_the_weights_of_the_same_task_answer() -> None:
    pins = Pins(weights={"mini/text2motion@1": {}, "mini/talking@1": {}})
    assert pins.track("MMHead/talking@local") == "mini/talking@1"
    assert pins.track("mini/text2motion@1") == "mini/text2motion@1"
    with pytest.raises(InputError):
        pins.track("mini/talking@2")


def test_a_variants_weights_are_pinned_by_its_own_name(tmp_path: Path) -> None:
    write_json(weights_folder("mm2face.ft_a", TRACK, tmp_path) / "card.json", asdict(card("mm2face", "m2")))
    write_json(weights_folder("vqvae", TRACK, tmp_path) / "card.json", asdict(card("vqvae", "v2")))
    pins = Pins(weights={TRACK: {"mm2face.ft_a": "m2", "vqvae": "v2"}}, root=str(tmp_path), fusion="ft|a")
    assert weight_hashes("mm2face", TRACK, (tmp_path,), "ft|a") == pins.weights[TRACK]
    check_pins("mm2face", TRACK, pins, tmp_path)


@pytest.mark.parametrize("content", [None, "[]", "{", '{"weights": {}, "other": 1}'])
def test_a_broken_list_of_weights_is_an_input_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "weights.json").write_text(content)
    with pytest.raises(InputError, match=r"weights\.json"):
        read_pins(tmp_path / "weights.json")


def test_a_reconstruction_keeps_lengths_and_needs_neither_text_nor_speech() -> None:
    torch.manual_seed(0)
    tokenizer = VQVAE(Config(codes=8, code_width=4, width=8, depth=1), Context(WIDTH, 0)).eval()
    rng = np.random.default_rng(0)
    motions = [rng.normal(0, 0.1, (frames, 56)).astype(np.float32) for frames in (9, 21)]
    together = reconstructed(tokenizer, motions)
    assert [motion.shape for motion in together] == [(9, 56), (21, 56)]
    for motion, made in zip(motions, together, strict=True):
        np.testing.assert_allclose(reconstructed(tokenizer, [motion])[0], made, atol=1e-4)
