"""SelfTalk: speech to a face at once, and a lip reader that only training knows."""

from dataclasses import replace

import pytest
import torch

from reference_models.batch import length_mask
from reference_models.parts.clusters import cluster_centres, nearest_centre
from reference_models.parts.draws import Draws
from reference_models.parts.face_target import Output
from reference_models.parts.text_slot import Slot
from reference_models.selftalk import DEVIATIONS, PRESETS, Config, Heard, SelfTalk, _doubled, _runs, unit_loss
from tests.reference_models.toy import toy_clips, toy_context

_SMALL = Config(
    width=16, heads=2, hidden=32, audio_layers=1, lip_width=16, lip_heads=2, lip_hidden=32, units=5, output="parameters"
)


def _model(config: Config = _SMALL) -> SelfTalk:
    torch.manual_seed(0)
    clips = toy_clips()
    model = SelfTalk(config, toy_context(clips))
    model.fit(clips)
    torch.nn.init.normal_(model.out.weight, std=0.5)  # a zero head would hide what its input is
    return model.eval()


@pytest.mark.parametrize("output", ["vertices", "parameters"])
@pytest.mark.parametrize("slot", ["style", "offset"])
def test_a_clip_comes_out_the_same_alone_and_in_a_batch(slot: Slot, output: Output) -> None:
    clips = toy_clips(4, frames=[16, 11, 9, 1])
    model = _model(replace(_SMALL, slot=slot, output=output))
    batch = clips.batch(range(4)).asked()
    together = model.generate(batch, Draws([0] * 4))
    assert together.shape[:2] == (4, 16)
    assert together.shape[2:] == ((56,) if output == "parameters" else (model.target.width // 3, 3))
    for row in range(4):
        alone = model.generate(clips.batch([row]).asked(), Draws([1]))
        assert torch.allclose(alone[0, : clips.frames[row]], together[row, : clips.frames[row]], atol=1e-4)
    other = model.generate(replace(batch, full=batch.full + 1), Draws([0] * 4))
    assert not torch.allclose(other[:, :1], together[:, :1], atol=1e-6)


@pytest.mark.parametrize("doubled", [True, False])
@pytest.mark.parametrize("output", ["vertices", "parameters"])
def test_losses_of_a_batch_are_the_mean_of_its_clips(output: Output, doubled: bool) -> None:
    clips = toy_clips(4, frames=[16, 11, 9, 2])
    model = _model(replace(_SMALL, output=output, doubled=doubled, reads_truth=True))
    alone = [model.losses(clips.batch([row])) for row in range(4)]
    for name, value in model.losses(clips.batch(range(4))).items():
        assert value.item() == pytest.approx(sum(each[name].item() for each in alone) / 4, rel=1e-3), name


def test_prediction_does_not_know_the_lip_reader() -> None:
    model, batch = _model(), toy_clips().batch(range(6)).asked()
    before = model.generate(batch, Draws([0] * 6))
    del model.reader
    assert torch.equal(model.generate(batch, Draws([0] * 6)), before)


def test_the_animator_knows_no_order_of_speech_tokens() -> None:
    """A property of the original, which has neither masks nor positions: order is in the speech features alone."""
    model = _model()
    tokens, mask = torch.randn(1, 12, 16), torch.ones(1, 12, dtype=torch.bool)
    order = torch.randperm(12)
    assert torch.allclose(model.animate(tokens[:, order], mask), model.animate(tokens, mask)[:, order], atol=1e-5)


def test_the_last_map_begins_at_the_neutral_face() -> None:
    clips = toy_clips()
    model = SelfTalk(replace(_SMALL, output="vertices"), toy_context(clips)).eval()
    made = model.generate(clips.batch([0]).asked(), Draws([0]))
    assert torch.equal(made, model.target.neutral.view(1, 1, -1, 3).expand_as(made))


def test_units_are_read_finitely_even_where_there_are_none() -> None:
    logits = torch.randn(3, 6, 4, requires_grad=True)
    units = torch.tensor([[1, 2, 3, 0, 0, 0], [0] * 6, [1, 2, 1, 2, 1, 2]])
    loss = unit_loss(logits, Heard(torch.zeros(3, 6, 1), torch.tensor([6, 4, 3]), units, torch.tensor([3, 0, 6])))
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[1].any()  # nothing said is to be read as blanks
    assert not logits.grad[2].any()  # six units cannot be read from three frames: not counted


def test_runs_of_units_are_counted_once() -> None:
    units = torch.tensor([[1, 1, 2, 2, 1, 3], [4, 4, 4, 2, 2, 2]])
    runs, count = _runs(units, length_mask(torch.tensor([6, 3]), 6))
    assert runs.tolist() == [[1, 2, 1, 3, 0, 0], [4, 0, 0, 0, 0, 0]]
    assert count.tolist() == [4, 1]


def test_doubling_puts_means_between() -> None:
    assert _doubled(torch.tensor([[[0.0], [2.0], [6.0]]])).flatten().tolist() == [0, 1, 2, 4, 6]
    assert _doubled(torch.ones(1, 1, 3)).shape == (1, 1, 3)


def test_clusters_find_groups_and_stay_the_same() -> None:
    groups = torch.eye(3)[torch.randint(3, (60,))] * 10
    features = groups + torch.randn(60, 3) * 0.1
    centres = cluster_centres(features, 4)
    assert torch.equal(centres, cluster_centres(features, 4))
    assert (centres[nearest_centre(features, centres)] - groups).abs().max() < 1


def test_the_listener_learns_nothing_and_is_the_same_in_training() -> None:
    model, batch = _model(), toy_clips().batch(range(6))
    heard = model._listen(batch)
    model.train()
    again = model._listen(batch)
    assert all(torch.equal(one, other) for one, other in zip(heard, again, strict=True))
    assert not heard.features.requires_grad
    assert not model.centres.requires_grad


@pytest.mark.parametrize("reads_truth", [True, False])
def test_lips_teach_the_animator(reads_truth: bool) -> None:
    model, batch = _model(replace(_SMALL, output="vertices", reads_truth=reads_truth)), toy_clips().batch(range(6))
    losses = model.losses(batch)
    (losses["latent"] + losses["ctc"]).backward()  # type: ignore[no-untyped-call]
    grad = model.out.weight.grad
    assert grad is not None
    moved = grad.abs().sum(1).nonzero().flatten().tolist()
    assert moved == model.lips.tolist()


def test_it_learns_a_toy_set() -> None:
    clips = toy_clips()
    model = SelfTalk(replace(_SMALL, dropout=0.0), toy_context(clips))
    model.fit(clips)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    batch = clips.batch(range(6))
    errors = []
    for _ in range(30):
        losses = model.losses(batch)
        optimiser.zero_grad()
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        errors.append(losses)
    for name in ("motion", "latent", "ctc"):
        assert errors[-1][name] < 0.95 * errors[0][name]


@pytest.mark.parametrize("preset", ["embedded", "paper"])
def test_every_preset_does_a_step(preset: str) -> None:
    """The paper's with one layer of its lip reader: at full size a step takes long on a CPU."""
    clips, config = toy_clips(2), PRESETS["selftalk"][preset].config
    model = SelfTalk(replace(config, lip_layers=1), toy_context(clips))
    model.fit(clips)
    loss = model.losses(clips.batch([0, 1]))["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert set(DEVIATIONS) == set(PRESETS)
    if preset == "embedded":
        assert sum(value.numel() for value in model.parameters()) < 600_000


def test_it_runs_in_half_precision() -> None:
    model, batch = _model(), toy_clips().batch(range(6))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.isfinite(model.losses(batch)["loss"])
        assert torch.isfinite(model.generate(batch.asked(), Draws([0] * 6))[:, :9]).all()
