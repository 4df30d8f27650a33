"""Training on a toy corpus: it learns, resumes exactly, and what it stores is what it scored."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from benchmark.corpus import Corpus
from benchmark.errors import InputError
from benchmark.features import LogMel
from benchmark.head import HeadModel
from benchmark.head_file import HeadArrays
from benchmark.protocol import TEXT_FIELDS, FloatArray, Texts
from benchmark.storage import content_hash
from evaluators.retrieval import load, load_evaluators
from evaluators.retrieval._network_training import NetworkRun, train_network, unfolded
from evaluators.retrieval.card import read_card
from evaluators.retrieval.data import Clips, altered, audio_pairs, batches, text_pairs
from evaluators.retrieval.preparation import motion_basis, vertex_statistics, vertices_of
from evaluators.retrieval.presets import EMBEDDED, PRESETS, Preset
from evaluators.retrieval.probes import AUDIO_PROBES, TEXT_PROBES
from evaluators.retrieval.report import retrieval_report
from evaluators.retrieval.train import train_evaluators
from mmbench import catalogue

TINY = replace(
    EMBEDDED,
    latent=96,
    field_dropout=0.0,
    feed_forward=32,
    layers=1,
    batch=16,
    crop=(30, 50),
    shifted=0.0,
    alterations=("neck_zeroed",),
    steps=40,
    reconstructed=4,
    validate_every=20,
    checkpoint_every=7,
    false_negative=0.999,
    learning_rate=3e-3,
    components=12,
    half=True,
)
WORDS = ("smiles", "frowns", "nods", "yawns", "blinks", "winks", "coughs", "sings")


class ToyCorpus:
    """Clips whose text names which expression coefficient moves and whose speech is a tone of its own while it does."""

    def texts(self, clip_id: str) -> Texts:
        word, other = WORDS[self._kind(clip_id)], WORDS[self._kind(clip_id) - 3]
        return Texts(f"She {word}.", "Calm.", f"First {word}.", f"Then {other}.", "A quiet day.")

    def motion(self, clip_id: str) -> FloatArray:
        rng = np.random.default_rng(int(clip_id))
        motion = 0.05 * rng.standard_normal((int(rng.integers(50, 70)), 56))
        motion[:, self._kind(clip_id)] += 3 * self._loudness(clip_id, len(motion))
        return motion.astype(np.float32)

    def audio(self, clip_id: str) -> FloatArray:
        frames = len(self.motion(clip_id))
        tone = np.sin(np.arange(frames * 640) * 2 * np.pi * (200 + 400 * self._kind(clip_id)) / 16_000)
        return (tone * 0.1 * np.repeat(self._loudness(clip_id, frames), 640)).astype(np.float32)

    def content_hash(self, clip_id: str) -> str:
        return content_hash(clip_id)

    def _kind(self, clip_id: str) -> int:
        return int(clip_id) % len(WORDS)

    def _loudness(self, clip_id: str, frames: int) -> FloatArray:
        speed = 0.1 + 0.02 * (int(clip_id) % 13)
        loudness: FloatArray = np.sin(speed * np.arange(frames)).clip(0).astype(np.float32)
        return loudness


CORPUS = cast(Corpus, ToyCorpus())
SPLITS = {
    name: [str(i) for i in ids]
    for name, ids in (("train", range(48)), ("val", range(48, 84)), ("test", range(88, 124)))
}


def _head() -> HeadModel:
    rng = np.random.default_rng(0)
    n = 20

    def noise(*shape: int) -> FloatArray:
        return (0.005 * rng.standard_normal(shape)).astype(np.float32)

    arrays = HeadArrays(
        template=10 * noise(n, 3),
        faces=np.array([[0, 1, 2]]),
        expression=noise(n, 3, 50),
        pose=noise(n, 3, 36) * 0,
        joint_regressor=np.full((5, n), 1 / n, np.float32),
        weights=np.eye(5, dtype=np.float32)[rng.integers(0, 5, n)],
        parents=(-1, 0, 1, 1, 1),
    )
    return HeadModel("toy", "0" * 64, arrays, np.arange(4, 16), np.arange(3))


HEAD = _head()


@pytest.fixture(autouse=True, scope="module")
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMBENCH_HOME", str(tmp_path_factory.mktemp("home")))
        torch.set_num_threads(1)
        yield
    torch.set_num_threads(threads)


def _train(out: Path, **options: Any) -> Any:
    chosen = {"has_audio": True, "out": out, "head": HEAD, "preset": TINY, "seed": 3, **options}
    return train_evaluators("toy/talking@0", CORPUS, SPLITS, **chosen)


def _clips(n: int = 24) -> Clips:
    ids = SPLITS["train"][:n]
    motions = [CORPUS.motion(clip_id) for clip_id in ids]
    statistics = vertex_statistics(HEAD, motions)
    encoder = LogMel()
    return Clips(
        tuple(ids),
        [statistics.motion(vertices_of(HEAD, motion), "toy").astype(np.float16) for motion in motions].__getitem__,
        [motion[:, 50:53] for motion in motions],
        [
            [encoder.frames(CORPUS.audio(i), len(motion)).astype(np.float16)]
            for i, motion in zip(ids, motions, strict=True)
        ],
    )


def _run(preset: Preset = TINY) -> NetworkRun:
    clips = _clips()
    statistics = vertex_statistics(HEAD, [CORPUS.motion(i) for i in clips.ids])
    return NetworkRun("audio", preset, clips, clips, statistics, None, HEAD.template[HEAD.face_ids], 5, "cpu", "toy")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    _train(out)
    return out


def test_both_networks_learn_and_their_card_says_so(trained: Path) -> None:
    evaluators = load_evaluators(trained, head=HEAD)
    card = _train(trained, resume=True)  # everything is finished: nothing is trained again
    assert evaluators.audio is not None
    assert evaluators.trained_on == card.track == "toy/talking@0"
    assert evaluators.head_sha256 == HEAD.sha256
    text, audio = card.networks["text"].scores["test"], card.networks["audio"].scores["test"]
    assert text.n == audio.n == 36
    assert text.r_precision_1 > 3 / 32
    assert audio.r_precision_1 > 3 / 32
    assert set(card.networks["text"].probes) == {probe.name for probe in TEXT_PROBES}
    assert set(card.networks["audio"].probes) == {probe.name for probe in AUDIO_PROBES}
    assert set(card.networks["text"].fields) == set(TEXT_FIELDS)
    assert card.networks["text"].fid_floor is not None and card.networks["audio"].fid_floor is None
    assert read_card(trained) == card
    assert card.networks["audio"].steps == TINY.steps
    assert {path.name for path in trained.iterdir()} == {"card.json", "text.safetensors", "audio.safetensors"}


def test_scores_are_those_of_the_stored_weights(trained: Path) -> None:
    evaluators, card = load_evaluators(trained, head=HEAD), _train(trained, resume=True)
    queries = evaluators.text.embed_texts([CORPUS.texts(i) for i in SPLITS["test"]])
    motions = [CORPUS.motion(i) for i in SPLITS["test"]]
    items = evaluators.text.embed_motions([(vertices_of(HEAD, m), m[:, 50:53]) for m in motions])
    assert retrieval_report(queries, items) == card.networks["text"].scores["test"]


def test_a_network_trained_on_coordinates_is_the_same_network_on_vertices() -> None:
    motions = [CORPUS.motion(clip_id) for clip_id in SPLITS["train"][:12]]
    statistics = vertex_statistics(HEAD, motions)
    basis = motion_basis(HEAD, motions, statistics, 10, seed=0)
    features = torch.from_numpy(np.stack([statistics.motion(vertices_of(HEAD, m[:50]), "toy") for m in motions]))
    coordinates = features @ torch.from_numpy(basis)
    assert basis.shape == (36, 10)
    np.testing.assert_allclose(coordinates.std((0, 1)).numpy(), 1, atol=0.3)
    network = replace(_run(), basis=basis).new_state().network.eval()
    mask = torch.ones(coordinates.shape[:2], dtype=torch.bool)
    with torch.inference_mode():
        expected = network.motion_encoder(coordinates, mask)[0]
        got = unfolded(network, basis).motion_encoder(features, mask)[0]
    np.testing.assert_allclose(got.numpy(), expected.numpy(), atol=1e-4)


def test_a_second_seed_is_kept_below_the_first(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("mini/talking@0", "mini/talking@0/seed1")
    for name in reversed(names):
        shutil.copytree(trained, tmp_path / name, dirs_exist_ok=True)
    monkeypatch.setattr(load, "WEIGHTS", tmp_path)
    monkeypatch.setattr(catalogue, "WEIGHTS", tmp_path)
    assert load.shipped_evaluators() == names
    assert [load_evaluators(name, head=HEAD).id for name in names] == list(names)
    described = catalogue.description("mini/talking@0")
    assert described.count("R@1 of all") == 2 and f"encoders {names[1]}, seed 3" in described
    assert described.count("neck zeroed") == described.count("late 10") == 1  # probes are those of the ranking set


def test_damaged_weights_or_another_head_are_refused(trained: Path, tmp_path: Path) -> None:
    for file in trained.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    data = bytearray((tmp_path / "text.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "text.safetensors").write_bytes(data)
    with pytest.raises(InputError, match="not the weights of the card"):
        load_evaluators(tmp_path)
    other = HeadModel("other", "1" * 64, HEAD._arrays, HEAD.face_ids[:-1], HEAD.lip_ids)
    with pytest.raises(InputError) as caught:
        load_evaluators(trained, head=other)
    assert len(caught.value.problems) == 2


def test_loss_falls(tmp_path: Path) -> None:
    run = _run()
    state = run.new_state()
    items = list(range(16))
    losses = [run.train_step(state, items) for _ in range(TINY.steps)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert not list(tmp_path.iterdir())


def test_a_resumed_run_equals_an_unbroken_one_exactly(tmp_path: Path) -> None:
    preset = replace(TINY, steps=20, dropout=0.1, sampled=True, validate_every=5)
    whole = train_network(_run(preset), tmp_path / "whole", resume=False, minutes=None, progress=print)
    saved = tmp_path / "broken"
    stopped = train_network(_run(preset), saved, resume=False, minutes=0.0, progress=print)
    assert stopped.step == 1
    torch.manual_seed(99)  # the global generator does not matter
    resumed = train_network(_run(preset), saved, resume=True, minutes=None, progress=print)
    assert resumed.step == whole.step == 20
    assert (resumed.best_step, resumed.best_score) == (whole.best_step, whole.best_score) or whole.best_step > 1
    for key, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[key]), key


def test_ctrl_c_saves_the_last_whole_step(tmp_path: Path) -> None:
    import os
    import signal

    run, saved = _run(replace(TINY, steps=30, checkpoint_every=1000)), tmp_path / "state"
    make, calls = run.train.motion, []

    def interrupting(index: int) -> Any:
        calls.append(index)
        if len(calls) == 100:
            os.kill(os.getpid(), signal.SIGINT)
        return make(index)

    run = replace(run, train=replace(run.train, motion=interrupting))
    with pytest.raises(KeyboardInterrupt):
        train_network(run, saved, resume=False, minutes=None, progress=print)
    again = run.new_state()
    again.restore(saved, run.fingerprint)
    assert 0 < again.step < 30


def test_a_state_of_other_settings_is_refused(tmp_path: Path) -> None:
    saved = tmp_path / "state"
    train_network(_run(), saved, resume=False, minutes=0.0, progress=print)
    with pytest.raises(InputError, match="other data or settings"):
        train_network(_run(replace(TINY, batch=8)), saved, resume=True, minutes=0.0, progress=print)


def test_batches_are_a_function_of_seed_and_number() -> None:
    lengths = list(range(100))
    order = batches(lengths, 16, 7, 0)
    first = [next(order) for _ in range(20)]
    later = batches(lengths, 16, 7, 13)
    assert [next(later) for _ in range(7)] == first[13:]
    assert all(len(set(items)) == 16 for items in first)
    assert len({item for items in first[:6] for item in items}) == 96


def test_audio_crops_are_shared_by_speech_and_motion_and_repeats_lie_apart() -> None:
    clips = _clips()
    rng = np.random.default_rng(0)
    pairs = audio_pairs(clips, replace(TINY, crop=(20, 40), shifted=0.5), list(range(12)), rng)
    assert len(pairs) > 8
    for _, motion, speech in pairs:
        assert len(motion) == len(speech)
        assert 20 <= len(motion) <= 40
    first, again = pairs[0], pairs[6]
    assert len(first[1]) == len(again[1])
    assert not np.array_equal(first[1], again[1])


def test_text_fields_are_left_out_at_random_but_one_stays() -> None:
    clips = replace(_clips(4), conditions=[[np.full((1, 2), f, np.float16) for f in range(5)]] * 4)
    seen = set()
    for seed in range(30):
        for _, _, text in text_pairs(clips, replace(TINY, field_dropout=0.7), range(4), np.random.default_rng(seed)):
            fields = tuple(text[:, 0].astype(int))
            assert fields == tuple(sorted(fields))
            seen.add(fields)
    assert () not in seen
    assert len(seen) > 15


def test_alterations_change_what_they_say() -> None:
    neck = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    motion = np.array([[1], [2]], np.float16)
    assert not altered(neck, motion, "neck_zeroed")[0].any()
    np.testing.assert_array_equal(altered(neck, motion, "neck_mirrored")[0][0], [1, -2, -3])
    np.testing.assert_array_equal(altered(neck, motion, "time_reversed")[1], motion[::-1])


def test_splits_that_overlap_or_are_empty_and_unknown_presets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        train_evaluators("x", CORPUS, {"train": ["1", "2"], "val": ["2"]}, has_audio=False, out=tmp_path)
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError, match="unknown preset"):
        train_evaluators("x", CORPUS, SPLITS, has_audio=False, out=tmp_path, preset="embeded")
    assert set(PRESETS) == {"embedded", "released"}
