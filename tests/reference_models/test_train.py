import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.errors import InputError
from benchmark.tracks import load_track
from reference_models.catalogue import NETWORKS, chain
from reference_models.data import Clips, read_clips, write_clips
from reference_models.loop import CHECKPOINT
from reference_models.recipe import Recipe, Schedule
from reference_models.steps import batch_items, learning_rate
from reference_models.train import Encoders, Run, prepare, read_features, train
from reference_models.vqvae import Config
from reference_models.weights import fusion_name, load_network, read_card, weights_folder
from tests.reference_models.toy import toy_clips

TRACK = "mini/talking@1"
TINY = Config(codes=8, code_width=4, width=8, depth=1)
SCHEDULE = Schedule(steps=6, batch=4, learning_rate=1e-2, warm_up=2, validate_every=2, ema=0.9)


def features() -> dict[str, Clips]:
    return {"train": toy_clips(12), "val": toy_clips(5, seed=1)}


def tiny_run(out: Path, schedule: Schedule = SCHEDULE, name: str = "vqvae") -> Run:
    recipe = Recipe(TINY, schedule)
    return Run(
        name, TRACK, "embedded", recipe, weights_folder(name, TRACK, out), (out,), None, Encoders("minilm", "logmel")
    )


def launch(run: Run, *, resume: bool = False, devices: int = 1, clips: dict[str, Clips] | None = None) -> None:
    run.launch(clips or features(), "cpu", devices, resume)


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "weights.safetensors"))


def test_a_stopped_and_resumed_training_equals_an_unbroken_one(tmp_path: Path) -> None:
    launch(tiny_run(tmp_path / "unbroken"))
    stopped = tiny_run(tmp_path / "stopped")

    class StopError(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:  # noqa: ARG001
        if done == 5:  # one step after a checkpoint: that step is done again
            raise StopError

    with pytest.raises(StopError):
        stopped.launch(features(), "cpu", 1, False, stop)
    launch(stopped, resume=True)
    first, second = state_of(tiny_run(tmp_path / "unbroken").folder), state_of(stopped.folder)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        launch(tiny_run(tmp_path / name, replace(SCHEDULE, seed=seed)))
    hashes = [read_card(weights_folder("vqvae", TRACK, tmp_path / name)).sha256 for name in "abc"]
    assert hashes[0] == hashes[1] != hashes[2]


def test_another_trainings_checkpoint_is_refused(tmp_path: Path) -> None:
    launch(tiny_run(tmp_path))
    with pytest.raises(InputError, match="another training"):
        launch(tiny_run(tmp_path, replace(SCHEDULE, learning_rate=1e-3)), resume=True)


def test_two_processes_train_together(tmp_path: Path) -> None:
    launch(tiny_run(tmp_path), devices=2)
    card = read_card(weights_folder("vqvae", TRACK, tmp_path))
    assert card.steps == 6
    assert "2 process" in card.device


def test_the_card_tells_how_the_weights_came_about(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    launch(run)
    card = read_card(run.folder)
    assert (card.steps, card.seed, card.preset) == (6, 0, "embedded")
    assert card.best_step in (2, 4, 6)
    assert card.config["codes"] == 8
    assert card.bytes == (run.folder / "weights.safetensors").stat().st_size
    text = (run.folder / "README.md").read_text(encoding="utf-8")
    assert card.sha256 in text
    assert "What differs from the original" in text
    assert (run.folder / "log" / "metrics.csv").is_file()


def test_the_best_validated_step_is_kept_not_the_last(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, replace(SCHEDULE, ema=None, learning_rate=3.0, decay="constant", clip=None))
    launch(run)
    found = torch.load(run.folder / CHECKPOINT, weights_only=True)
    assert read_card(run.folder).validation["selection"] == pytest.approx(found["best"]["value"], rel=1e-4)


def test_weights_load_strictly_and_never_others(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    launch(run)
    network = load_network("vqvae", TRACK, (tmp_path,))
    assert not network.training
    file = run.folder / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(InputError, match="other weights"):
        load_network("vqvae", TRACK, (tmp_path,))
    with pytest.raises(InputError, match="no weights"):
        load_network("mdm", TRACK, (tmp_path,))


def test_shipped_weights_are_half_precision_but_for_the_normalisation(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    launch(run)
    state = state_of(run.folder)
    assert state["normaliser.forth"].dtype == torch.float32
    assert state["encoder.first.weight"].dtype == torch.float16


def test_features_can_be_carried_to_where_there_is_no_corpus(tmp_path: Path) -> None:
    for split, clips in features().items():
        write_clips(tmp_path / f"{split}.npz", clips)
    folder = prepare(load_track("mini/talking"), None, tmp_path)
    again = read_features(folder)
    batch, expected = again["train"].batch([1, 4]), features()["train"].batch([1, 4])
    assert torch.equal(batch.text, expected.text)
    assert batch.audio is not None
    assert expected.audio is not None
    assert torch.equal(batch.audio, expected.audio)
    with pytest.raises(InputError, match="no features and no corpus"):
        prepare(load_track("mini/talking"), None, tmp_path / "elsewhere")
    (tmp_path / "val.npz").write_bytes(b"junk")
    with pytest.raises(InputError, match="no training features"):
        read_clips(tmp_path / "val.npz")


def test_a_model_that_needs_speech_is_not_trained_without(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs speech"):
        train("faceformer", track=load_track("mini/text2motion"), corpus=None, out=tmp_path)


def test_only_mm2face_has_fusions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fusion"):
        train("mdm", track=load_track("mini/talking"), corpus=None, out=tmp_path, fusion="ft|a")


def test_time_sets_the_steps(tmp_path: Path) -> None:
    run = replace(tiny_run(tmp_path), minutes=0.02)
    launch(run)
    steps = read_card(run.folder).steps
    assert steps >= 1
    record = json.loads((run.folder / "card.json").read_text(encoding="utf-8"))
    assert record["schedule"]["steps"] == steps


def test_networks_are_trained_after_those_they_need() -> None:
    for name in NETWORKS:
        order = chain(name)
        assert order[-1] == name
        for step in order:
            before = NETWORKS[step].needs + NETWORKS[step].trained_with
            assert all(order.index(need) < order.index(step) for need in before)


def test_batches_are_a_function_of_seed_and_number() -> None:
    lengths = np.random.default_rng(0).integers(9, 200, 50).tolist()
    whole = batch_items(lengths, 8, seed=3)
    expected = [next(whole) for _ in range(20)]
    later = batch_items(lengths, 8, seed=3, first=13)
    assert [next(later) for _ in range(7)] == expected[13:]
    assert all(len(set(items)) == 8 for items in expected)


def test_the_learning_rate_rises_and_falls() -> None:
    schedule = Schedule(steps=100, learning_rate=1.0, warm_up=10)
    rates = [learning_rate(schedule, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) > 0.95
    assert rates[-1] == pytest.approx(0.05, abs=0.01)
    constant = replace(schedule, decay="constant")
    assert learning_rate(constant, 99) == 1.0


def test_fusion_names_are_file_safe() -> None:
    assert fusion_name("ft|ht+a") == "ft_hta"
