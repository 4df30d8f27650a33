"""Training on a toy corpus, by each recipe: it learns, resumes exactly, and what it stores is what it scored."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pytest
import torch

from benchmark.corpus import Corpus
from benchmark.errors import InputError
from benchmark.features import LogMel, text_encoder
from benchmark.head import HeadModel
from benchmark.head_file import HeadArrays
from benchmark.protocol import TEXT_FIELDS, FloatArray, Texts
from benchmark.storage import content_hash
from evaluators.retrieval import load, load_evaluators
from evaluators.retrieval._network_training import Kind, NetworkRun, train_network, unfolded
from evaluators.retrieval.card import read_card
from evaluators.retrieval.data import Clips, Pair, Told, altered, audio_pairs, batches, shows, text_pairs
from evaluators.retrieval.mirror import mirror_columns, mirrored_vertices
from evaluators.retrieval.networks import RetrievalNetwork
from evaluators.retrieval.preparation import (
    Normalisation,
    audio_source,
    load_clips,
    motion_basis,
    text_source,
    told_by,
    vertex_statistics,
    vertices_of,
)
from evaluators.retrieval.presets import EMBEDDED, PRESETS, Alteration, Preset, Synchrony, Timeline
from evaluators.retrieval.probes import AUDIO_PROBES, TEXT_PROBES
from evaluators.retrieval.report import retrieval_report
from evaluators.retrieval.synchrony import SynchronyNetwork
from evaluators.retrieval.timeline import TimelineNetwork
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
    timeline=Timeline(),
    synchrony=Synchrony(width=24, layers=2, code=6, steps=60, drawn=2, learning_rate=1e-2),
    steps=40,
    reconstructed=4,
    validate_every=20,
    checkpoint_every=7,
    false_negative=0.999,
    learning_rate=3e-3,
    components=12,
    half=True,
)
"""The embedded recipe: texts and motions part by part in time, speech frame by frame."""
CLIPWISE = replace(
    TINY,
    timeline=None,
    synchrony=None,
    layout="fields",
    alterations=("neck_zeroed",),
    similarity="euclidean",
    temperature=0.1,
)
"""One latent a clip for both networks, as released."""
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


def _prepared(kind: Kind, preset: Preset, n: int = 24) -> tuple[Clips, Normalisation]:
    source = (
        audio_source(CORPUS, LogMel(), print)
        if kind == "audio"
        else text_source(CORPUS, text_encoder("minilm", "cpu"), preset.layout, print)
    )

    def normalise(motions: Sequence[FloatArray]) -> Normalisation:
        return vertex_statistics(HEAD, motions), None

    def told(ids: Sequence[str]) -> list[tuple[Told, ...]]:
        return [told_by(CORPUS.texts(clip_id)) for clip_id in ids]

    against = told if kind == "text" else None
    return load_clips(CORPUS, SPLITS["train"][:n], HEAD, normalise, source, print, against)


def _clips(n: int = 24) -> Clips:
    return _prepared("audio", TINY, n)[0]


def _run(preset: Preset = TINY, kind: Kind = "audio") -> NetworkRun:
    clips, (statistics, basis) = _prepared(kind, preset)
    return NetworkRun(kind, preset, clips, clips, statistics, basis, HEAD.template[HEAD.face_ids], 5, "cpu", "toy")


@pytest.fixture(scope="module", params=[TINY, CLIPWISE], ids=["in_time", "clipwise"])
def recipe(request: pytest.FixtureRequest) -> Preset:
    return cast(Preset, request.param)


@pytest.fixture(scope="module")
def trained(recipe: Preset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    _train(out, preset=recipe)
    return out


def test_both_networks_learn_and_their_card_says_so(recipe: Preset, trained: Path) -> None:
    evaluators = load_evaluators(trained, head=HEAD)
    card = _train(trained, preset=recipe, resume=True)  # everything is finished: nothing is trained again
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
    assert card.networks["text"].steps == recipe.steps and card.networks["text"].layout == recipe.layout
    assert card.networks["audio"].steps == (recipe.synchrony.steps if recipe.synchrony else recipe.steps)
    assert card.networks["text"].similarity == recipe.similarity
    assert card.networks["audio"].similarity == "euclidean"  # the frame-by-frame network is always trained by distance
    kinds = type(evaluators.text.network), type(evaluators.audio.network)
    expected = (TimelineNetwork, SynchronyNetwork) if recipe.timeline else (RetrievalNetwork, RetrievalNetwork)
    assert kinds == expected
    assert {path.name for path in trained.iterdir()} == {"card.json", "text.safetensors", "audio.safetensors"}


def test_scores_are_those_of_the_stored_weights(recipe: Preset, trained: Path) -> None:
    evaluators, card = load_evaluators(trained, head=HEAD), _train(trained, preset=recipe, resume=True)
    assert evaluators.audio is not None
    queries = evaluators.text.embed_texts([CORPUS.texts(i) for i in SPLITS["test"]])
    motions = [CORPUS.motion(i) for i in SPLITS["test"]]
    items = evaluators.text.embed_motions([(vertices_of(HEAD, m), m[:, 50:53]) for m in motions])
    assert retrieval_report(queries, items) == card.networks["text"].scores["test"]
    queries = evaluators.audio.embed_motions([vertices_of(HEAD, m) for m in motions])
    items = evaluators.audio.embed_audio([(CORPUS.audio(i), len(CORPUS.motion(i))) for i in SPLITS["test"]])
    assert retrieval_report(queries, items) == card.networks["audio"].scores["test"]


KINDS = [
    pytest.param("text", TINY, id="timeline"),
    pytest.param("audio", TINY, id="synchrony"),
    pytest.param("text", CLIPWISE, id="clipwise_text"),
    pytest.param("audio", CLIPWISE, id="clipwise_audio"),
]


@pytest.mark.parametrize(("kind", "preset"), KINDS)
def test_a_network_trained_on_coordinates_is_the_same_network_on_vertices(kind: Kind, preset: Preset) -> None:
    motions = [CORPUS.motion(clip_id) for clip_id in SPLITS["train"][:12]]
    statistics = vertex_statistics(HEAD, motions)
    basis = motion_basis(HEAD, motions, statistics, 10, seed=0)
    features = torch.from_numpy(np.stack([statistics.motion(vertices_of(HEAD, m[:50]), "toy") for m in motions]))
    coordinates = features @ torch.from_numpy(basis)
    assert basis.shape == (36, 10)
    np.testing.assert_allclose(coordinates.std((0, 1)).numpy(), 1, atol=0.3)
    network = replace(_run(preset, kind), basis=basis).new_state().network.eval()
    mask = torch.ones(coordinates.shape[:2], dtype=torch.bool)
    poses = [statistics.pose(motion[:50, 50:53], preset.head_pose) for motion in motions]
    pose = torch.from_numpy(np.stack(poses)) if kind == "text" else None
    with torch.inference_mode():
        expected = network.embed_motion(coordinates, mask, pose)
        got = unfolded(network, basis).embed_motion(features, mask, pose)
    assert float(expected.std(0).max()) > 1e-3
    np.testing.assert_allclose(got.numpy(), expected.numpy(), atol=1e-4)


def test_a_second_seed_is_kept_below_the_first(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("mini/talking@1", "mini/talking@1/second")
    for name in reversed(names):
        shutil.copytree(trained, tmp_path / name, dirs_exist_ok=True)
    monkeypatch.setattr(load, "WEIGHTS", tmp_path)
    monkeypatch.setattr(catalogue, "WEIGHTS", tmp_path)
    assert load.shipped_evaluators() == names
    assert [load_evaluators(name, head=HEAD).id for name in names] == list(names)
    described = catalogue.description("mini/talking@1")
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


@pytest.mark.parametrize(("kind", "preset"), KINDS)
def test_loss_falls(kind: Kind, preset: Preset) -> None:
    run = _run(preset, kind)
    state = run.new_state()
    items = list(range(16))
    losses = [run.train_step(state, items) for _ in range(TINY.steps)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


@pytest.mark.parametrize(("kind", "preset"), KINDS)
def test_a_resumed_run_equals_an_unbroken_one_exactly(kind: Kind, preset: Preset, tmp_path: Path) -> None:
    synchrony = preset.synchrony and replace(preset.synchrony, steps=20)
    preset = replace(preset, steps=20, dropout=0.1, sampled=True, validate_every=5, synchrony=synchrony)
    whole = train_network(_run(preset, kind), tmp_path / "whole", resume=False, minutes=None, progress=print)
    saved = tmp_path / "broken"
    stopped = train_network(_run(preset, kind), saved, resume=False, minutes=0.0, progress=print)
    assert stopped.step == 1
    torch.manual_seed(99)  # the global generator does not matter
    resumed = train_network(_run(preset, kind), saved, resume=True, minutes=None, progress=print)
    assert resumed.step == whole.step == 20
    assert (resumed.best_step, resumed.best_score) == (whole.best_step, whole.best_score) or whole.best_step > 1
    for key, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[key]), key


def test_ctrl_c_saves_the_last_whole_step(tmp_path: Path) -> None:
    import os
    import signal

    run, saved = _run(replace(CLIPWISE, steps=30, checkpoint_every=1000)), tmp_path / "state"
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


def test_audio_crops_are_shared_by_speech_and_motion() -> None:
    clips = _clips()
    # each frame's speech is its number, and so is its motion's first coordinate
    counted = replace(
        clips,
        motion=lambda index: np.arange(clips.frames(index), dtype=np.float16)[:, None],
        conditions=[[np.arange(clips.frames(i), dtype=np.float16)[:, None]] for i in range(len(clips))],
    )
    seen = set()
    for seed in range(10):
        pairs = audio_pairs(counted, replace(TINY, crop=(20, 40)), list(range(12)), np.random.default_rng(seed))
        assert [pair.item for pair in pairs] == list(range(12))
        assert len({len(pair.motion) for pair in pairs}) == 1
        for pair in pairs:
            np.testing.assert_array_equal(pair.motion, pair.condition)
            assert 20 <= len(pair.motion) == len(pair.neck) <= 40
            assert pair.told == Told()
            seen.add(int(pair.motion[0, 0]))
    assert len(seen) > 10


def test_clips_shorter_than_the_crop_are_taken_whole() -> None:
    clips = _clips(4)
    for pair in audio_pairs(clips, replace(TINY, crop=(100, 100)), range(4), np.random.default_rng(0)):
        np.testing.assert_array_equal(pair.motion, clips.motion(pair.item))


def test_text_fields_are_left_out_at_random_but_one_stays_and_with_them_what_they_tell() -> None:
    fields = [np.full((1, 2), f, np.float16) for f in range(5)]
    told = (Told(), Told(), Told(side=True), Told(order=True), Told(head=True))
    clips = replace(_clips(4), conditions=[fields] * 4, told=[told] * 4)
    seen = set()
    for seed in range(30):
        for pair in text_pairs(clips, replace(TINY, field_dropout=0.7), range(4), np.random.default_rng(seed)):
            kept = tuple(pair.condition[:, 0].astype(int))
            assert kept == tuple(sorted(kept))
            assert pair.told == Told(side=2 in kept, order=3 in kept, head=4 in kept)
            seen.add(kept)
    assert () not in seen
    assert len(seen) > 15


ALTERATIONS = get_args(Alteration)


def _one_pair() -> tuple[Clips, Pair]:
    neck, motion = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32), np.array([[1], [2], [3]], np.float16)
    clips = Clips(("a",), lambda _: motion, [neck], [], mirrored=lambda _: -motion)
    return clips, Pair(0, neck, motion, np.zeros((1, 2), np.float16))


@pytest.mark.parametrize("kind", ALTERATIONS)
def test_each_alteration_changes_what_it_says_and_nothing_else(kind: Alteration) -> None:
    clips, pair = _one_pair()
    other = np.array([[0.1] * 3, [0.2] * 3], np.float32)
    neck, motion = altered(clips, pair, kind, other)
    necks = {
        "zeroed": 0 * pair.neck,
        "mirrored": pair.neck * (1, -1, -1),
        "reversed": pair.neck[::-1],
        "exchanged": other[[0, 1, 1]],
    }
    motions = {"mirrored": -pair.motion, "reversed": pair.motion[::-1]}
    part, how = kind.split("_") if "_" in kind else ("both", kind)
    np.testing.assert_array_equal(neck, pair.neck if part == "face" else necks[how])
    np.testing.assert_array_equal(motion, pair.motion if part == "neck" else motions[how])
    np.testing.assert_array_equal(pair.neck[0], [1, 2, 3])
    np.testing.assert_array_equal(pair.motion[:, 0], [1, 2, 3])


def test_a_mirrored_face_is_the_one_that_training_is_given() -> None:
    clips, _ = _prepared("text", TINY, 3)
    assert clips.mirrored is not None
    statistics = vertex_statistics(HEAD, [CORPUS.motion(i) for i in clips.ids])
    columns, neutral = mirror_columns(HEAD), HEAD.template[HEAD.face_ids]
    for index, clip_id in enumerate(clips.ids):
        mirrored = mirrored_vertices(vertices_of(HEAD, CORPUS.motion(clip_id)), neutral, columns)
        expected = statistics.motion(mirrored, "toy")
        np.testing.assert_allclose(clips.mirrored(index), expected, rtol=2e-3, atol=2e-3)
        assert np.abs(clips.mirrored(index) - clips.motion(index)).max() > 0.1


@pytest.mark.parametrize("kind", ALTERATIONS)
def test_an_alteration_shows_where_texts_tell_what_it_changes(kind: Alteration) -> None:
    everything = Told(side=True, order=True, head=True)
    assert shows(everything, kind) and not shows(Told(), kind)
    needed = {name for name in ("side", "order", "head") if not shows(replace(everything, **{name: False}), kind)}
    expected = {"head"} if kind.startswith("neck") else set()
    expected |= {"side"} if "mirrored" in kind else {"order"} if "reversed" in kind else set()
    assert needed == expected


def test_what_texts_tell_is_told_field_by_field() -> None:
    texts = Texts(
        "She nods and winks with the right eye.",
        "At first she is happy, then left alone.",
        "At first, the left lip corner rises. Then the jaw drops.",
        "The head turns to the left.",
        "Turning right at the end of a street, then waiting.",
    )
    assert told_by(texts) == (
        Told(side=True, head=True),
        Told(),
        Told(side=True, order=True),
        Told(side=True, head=True),
        Told(),
    )
    assert told_by(Texts("She smiles.", "", "The brows raise.", "The head hardly moves.", "")) == (Told(),) * 5
    assert Told(side=True) | Told(order=True) == Told(side=True, order=True)


def test_a_joined_text_tells_all_that_its_fields_tell(tmp_path: Path) -> None:
    """Altered motions were once looked up by field in the one text there was, and training broke off."""
    card = _train(tmp_path, preset=replace(CLIPWISE, layout="joined", steps=2), has_audio=False)
    assert card.networks["text"].steps == 2


def test_splits_that_overlap_or_are_empty_and_unknown_presets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        train_evaluators("x", CORPUS, {"train": ["1", "2"], "val": ["2"]}, has_audio=False, out=tmp_path)
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError, match="unknown preset"):
        train_evaluators("x", CORPUS, SPLITS, has_audio=False, out=tmp_path, preset="embeded")
    assert set(PRESETS) == {"embedded", "released"}
