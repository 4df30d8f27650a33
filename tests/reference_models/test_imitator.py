"""Imitator: its visemes know the speech only, its losses, its slots."""

import math
from dataclasses import replace
from typing import Literal

import pytest
import torch

from reference_models.data import Clips
from reference_models.imitator import PRESETS, Imitator, ImitatorConfig, bumps, weighted_error
from reference_models.parts.draws import Draws
from reference_models.parts.face_target import Output
from reference_models.parts.text_slot import Slot
from reference_models.recipe import Context
from tests.reference_models.toy import toy_clips, toy_context

TINY = ImitatorConfig(output="parameters", width=16, heads=2, dropout=0.0, audio_layers=2)


def built(config: ImitatorConfig, clips: Clips, stirred: bool = True) -> Imitator:
    """A model in evaluation mode; stirred, its output map is no longer zero."""
    torch.manual_seed(0)
    model = Imitator(config, toy_context(clips))
    model.fit(clips)
    if stirred:
        torch.nn.init.normal_(model.motion[-1].weight, std=0.3)  # type: ignore[arg-type]
    return model.eval()


@torch.no_grad()
def moved(model: Imitator, clips: Clips, items: list[int]) -> torch.Tensor:
    return model.generate(clips.batch(items).asked(), Draws(items))


@pytest.mark.parametrize("output", ["vertices", "parameters"])
@pytest.mark.parametrize("positions", ["none", "frames"])
@torch.no_grad()
def test_cached_loop_equals_running_every_prefix_anew(output: Output, positions: Literal["none", "frames"]) -> None:
    clips = toy_clips(3)
    model = built(replace(TINY, output=output, positions=positions, layers=2), clips)
    batch = clips.batch([0, 1, 2]).asked()
    torch.testing.assert_close(
        model.generate(batch, Draws([0, 1, 2])), model.generate_uncached(batch), atol=1e-4, rtol=0
    )


def test_text_never_alters_visemes_but_alters_the_face() -> None:
    clips = toy_clips(2)
    other = replace(clips, tokens=clips.tokens + 1)
    for slot in ("style", "offset"):
        model = built(replace(TINY, slot=slot), clips)
        with torch.no_grad():
            assert torch.equal(model.visemes(clips.batch([0, 1])), model.visemes(other.batch([0, 1])))
        assert (moved(model, other, [0]) - moved(model, clips, [0])).abs().max() > 1e-3


def test_frame_is_unchanged_by_later_audio_tokens() -> None:
    clips = toy_clips(frames=[24])
    model = built(replace(TINY, audio_layers=0), clips)
    batch = clips.batch([0])
    assert batch.audio is not None
    later = batch.audio.clone()
    later[:, 10:] += 1
    with torch.no_grad():
        one, other = model.visemes(batch), model.visemes(replace(batch, audio=later))
    assert torch.equal(one[:, :10], other[:, :10])
    assert (one[:, 10] - other[:, 10]).abs().max() > 1e-3


def test_a_constant_position_code_is_none_but_for_biases() -> None:
    clips = toy_clips(2)
    constant, plain = (built(replace(TINY, positions=kind), clips) for kind in ("constant", "none"))
    plain.load_state_dict(constant.state_dict())
    batch = clips.batch([0, 1])
    with torch.no_grad():
        layer, code = plain.decoder._layers()[0], constant._constants(batch)[0, 0]
        weights = layer.weights()
        weights.mix_bias.add_(weights.mix @ code)
        weights.out_bias.add_(code)
        torch.testing.assert_close(plain.visemes(batch), constant.visemes(batch), atol=1e-5, rtol=0)


def test_loss_adds_ten_times_the_error_of_differences_of_valid_frames() -> None:
    clips = toy_clips(2, frames=[9, 14])
    model = built(TINY, clips)
    batch = clips.batch([0, 1])
    with torch.no_grad():
        error = model._show(batch, model.visemes(batch)) - model.face.target(batch)
        losses = model.losses(batch)
    valid = [error[0, :9], error[1, :14]]
    face = torch.stack([part.square().mean() for part in valid]).mean()
    velocity = torch.stack([(part[1:] - part[:-1]).square().mean() for part in valid]).mean()
    torch.testing.assert_close(losses["loss"], face + 10 * velocity)


def test_error_at_a_closure_weighs_one_and_five_times_its_weight() -> None:
    error, mask = torch.randn(1, 1, 7), torch.ones(1, 1, dtype=torch.bool)
    plain = error.square().mean()
    weight = torch.tensor([[0.607]])
    torch.testing.assert_close(plain + 5 * weighted_error(error, mask, weight), plain * (1 + 5 * 0.607))


def test_closure_loss_counts_only_where_closures_are_given() -> None:
    clips = toy_clips(2)
    model = built(replace(TINY, closure_weight=5.0), clips)
    batch = clips.batch([0, 1])
    closures = torch.zeros(2, batch.padded, dtype=torch.bool)
    with torch.no_grad():
        off, none = model.losses(batch)["loss"], model.losses(batch, closures)["loss"]
        closures[:, 3] = True
        some = model.losses(batch, closures)
    torch.testing.assert_close(off, none)
    torch.testing.assert_close(some["loss"], off + 5 * some["closure"])
    assert some["closure"] > 0


def test_bumps_are_gaussians_of_one_frame_cut_off_after_two() -> None:
    peaks = torch.zeros(1, 12, dtype=torch.bool)
    peaks[0, [0, 6, 7]] = True
    one, two = math.exp(-0.5), math.exp(-2)
    expected = torch.tensor([[1, one, two, 0, two, one, 1, 1, one, two, 0, 0]])
    torch.testing.assert_close(bumps(peaks), expected)


def test_untrained_model_shows_the_neutral_face() -> None:
    clips = toy_clips(2)
    model = built(replace(TINY, output="vertices"), clips, stirred=False)
    head = Context(1, 1).head_model
    neutral = torch.from_numpy(head.template[head.region_ids]).float()
    torch.testing.assert_close(moved(model, clips, [0, 1]), neutral.expand(2, clips.batch([0, 1]).padded, -1, -1))


def test_frame_count_is_the_one_asked_for() -> None:
    for frames in (197, 199, 200):
        clips = toy_clips(frames=[frames])
        assert moved(built(TINY, clips), clips, [0]).shape[1] == clips.batch([0]).padded >= frames


@pytest.mark.parametrize("output", ["vertices", "parameters"])
def test_a_clip_alone_equals_the_clip_among_eight(output: Output) -> None:
    clips = toy_clips(8)
    model = built(replace(TINY, output=output), clips)
    together = moved(model, clips, list(range(8)))
    for row in range(8):
        frames = int(clips.frames[row])
        torch.testing.assert_close(together[row, :frames], moved(model, clips, [row])[0, :frames], atol=1e-4, rtol=0)


@pytest.mark.parametrize("output", ["vertices", "parameters"])
@pytest.mark.parametrize("slot", ["style", "offset"])
def test_loss_falls_on_toy_clips(output: Output, slot: Slot) -> None:
    clips = toy_clips(4, frames=[12, 9, 12, 11])
    model = built(replace(TINY, output=output, slot=slot), clips, stirred=False).train()
    batch = clips.batch([0, 1, 2, 3])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    losses = []
    for _ in range(20):
        loss = model.losses(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("preset", ["embedded", "paper"])
def test_presets_take_a_step_and_stay_small(preset: str) -> None:
    clips = toy_clips(2)
    recipe = PRESETS["imitator"][preset]
    model = Imitator(recipe.config, toy_context(clips)).train()
    model.losses(clips.batch([0, 1]))["loss"].backward()  # type: ignore[no-untyped-call]
    assert all(value.grad is not None for value in model.parameters())
    if preset == "embedded":
        embedded = Imitator(recipe.config, Context(384, 160))
        assert sum(value.numel() for value in embedded.parameters()) < 550_000
