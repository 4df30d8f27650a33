from dataclasses import replace

import pytest
import torch
from torch import Tensor

from reference_models.batch import Batch
from reference_models.data import Clips
from reference_models.mdm import DEVIATIONS, MDM, PRESETS, MDMConfig, Told, progress_waves
from reference_models.parts.draws import Draws
from reference_models.recipe import Context
from tests.reference_models.toy import toy_clips, toy_context

TINY = MDMConfig(width=16, layers=2, heads=2, hidden=24, steps=6)
VARIANTS = [
    replace(TINY, variant="encoder"),
    replace(TINY, variant="decoder"),
    replace(TINY, variant="decoder", pre_norm=True, progress=True, velocity=0.5),
]
NAMES = ["encoder", "decoder", "decoder, embedded switches"]
each_variant = pytest.mark.parametrize("config", VARIANTS, ids=NAMES)


def model_of(config: MDMConfig, clips: Clips, seed: int = 0) -> MDM:
    torch.manual_seed(seed)
    model = MDM(config, toy_context(clips))
    model.fit(clips)
    return model.eval()


def with_other_padding(batch: Batch) -> Batch:
    assert batch.motion is not None
    beyond = ~batch.mask[..., None]
    text = batch.text + 7.0 * ~batch.text_mask[..., None]
    full = batch.full + 7.0 * ~batch.full_mask[..., None]
    return replace(batch, motion=batch.motion + 9.0 * beyond, text=text, full=full)


def valid(motion: Tensor, frames: Tensor) -> list[Tensor]:
    return [row[:length] for row, length in zip(motion, frames.tolist(), strict=True)]


@each_variant
def test_motions_have_the_shape_asked_for_and_follow_their_seeds(config: MDMConfig) -> None:
    clips = toy_clips(3)
    model, batch = model_of(config, clips), clips.batch([0, 1, 2]).asked()
    first = model.generate(batch, Draws([1, 2, 3]))
    assert first.shape == (3, batch.padded, 56)
    assert torch.equal(first, model.generate(batch, Draws([1, 2, 3])))
    assert not torch.allclose(first, model.generate(batch, Draws([4, 5, 6])))


@each_variant
def test_a_clip_is_the_same_alone_and_among_others(config: MDMConfig) -> None:
    clips = toy_clips(4, frames=[9, 24, 17, 12])
    model = model_of(config, clips)
    together = model.generate(clips.batch([0, 1, 2, 3]).asked(), Draws([5, 6, 7, 8]))
    for row, length in enumerate([9, 24, 17, 12]):
        alone = model.generate(clips.batch([row]).asked(), Draws([5 + row]))
        assert torch.allclose(together[row, :length], alone[0, :length], atol=1e-4)


@each_variant
def test_padding_changes_neither_loss_nor_sample(config: MDMConfig) -> None:
    clips = toy_clips(4)
    model, batch = model_of(config, clips), clips.batch([0, 1, 2, 3])
    other = with_other_padding(batch)
    for training in (False, True):
        model.train(training)
        model.requires_grad_(False)
        values = []
        for some in (batch, other):
            torch.manual_seed(3)
            values.append(model.losses(some)["loss"])
        assert torch.allclose(values[0], values[1], atol=1e-5)
    model.eval()
    samples = [valid(model.generate(some.asked(), Draws([1, 2, 3, 4])), batch.frames) for some in (batch, other)]
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*samples, strict=True))


@each_variant
def test_guidance_of_one_is_the_prediction_with_text(config: MDMConfig) -> None:
    clips = toy_clips(3)
    model, batch = model_of(config, clips), clips.batch([0, 1, 2])
    noisy, step = torch.randn(3, batch.padded, 56), torch.tensor([0, 3, 5])
    with torch.no_grad():
        plain = model.denoiser(batch, 1)(noisy, step)
        nearly = model.denoiser(batch, 1 + 1e-6)(noisy, step)
        strong = model.denoiser(batch, 2.5)(noisy, step)
        none = model.denoise(noisy, step, model.told(batch, torch.zeros(3, dtype=torch.bool)))
    assert torch.allclose(plain, nearly, atol=1e-4)
    assert torch.allclose(strong, none + 2.5 * (plain - none), atol=1e-4)
    assert not torch.allclose(plain, none)


@each_variant
def test_a_row_that_is_told_nothing_does_not_depend_on_its_text(config: MDMConfig) -> None:
    clips = toy_clips(3)
    model, batch = model_of(config, clips), clips.batch([0, 1, 2])
    other = replace(batch, text=batch.text.flip(0), text_field=batch.text_field.flip(0), full=batch.full.flip(0))
    knows = torch.tensor([True, False, False])
    noisy, step = torch.randn(3, batch.padded, 56), torch.tensor([1, 1, 1])
    with torch.no_grad():
        one, two = (model.denoise(noisy, step, model.told(some, knows)) for some in (batch, other))
    assert torch.allclose(one[1:], two[1:], atol=1e-6)
    assert not torch.allclose(one[0], two[0])


@each_variant
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_text_is_withheld_in_training_only(config: MDMConfig, rate: float) -> None:
    clips = toy_clips(3)
    model, batch = model_of(replace(config, text_dropout=rate, dropout=0.0), clips), clips.batch([0, 1, 2])
    told: list[Tensor] = []
    inner = model.told

    def spy(batch: Batch, knows: Tensor) -> Told:
        told.append(knows)
        return inner(batch, knows)

    model.told = spy  # type: ignore[method-assign]
    model.losses(batch)
    model.train()
    model.losses(batch)
    assert bool(told[0].all())
    assert bool(told[1].all()) == (rate == 0) and bool(told[1].any()) == (rate == 0)


@each_variant
def test_a_clip_without_any_text_is_generated(config: MDMConfig) -> None:
    clips = toy_clips(2)
    batch = clips.batch([0, 1]).asked()
    silent = replace(
        batch,
        text=batch.text[:, :0],
        text_field=batch.text_field[:, :0],
        full_mask=torch.zeros_like(batch.full_mask),
    )
    assert bool(model_of(config, clips).generate(silent, Draws([1, 2])).isfinite().all())


def test_the_step_reaches_the_prediction_when_the_text_is_withheld() -> None:
    clips = toy_clips(2)
    noisy, nothing = torch.randn(2, 24, 56), torch.zeros(2, dtype=torch.bool)
    for config in VARIANTS:
        model, batch = model_of(config, clips), clips.batch([0, 1])
        told = model.told(batch, nothing)
        early, late = (model.denoise(noisy[:, : batch.padded], torch.full((2,), step), told) for step in (0, 5))
        assert not torch.allclose(early, late)


def test_speech_is_ignored() -> None:
    clips = toy_clips(2)
    model, batch = model_of(TINY, clips), clips.batch([0, 1]).asked()
    silent = replace(batch, audio=None)
    assert torch.equal(model.generate(batch, Draws([1, 2])), model.generate(silent, Draws([1, 2])))


def test_text_is_projected_once_a_sample() -> None:
    clips = toy_clips(2)
    model, batch = model_of(TINY, clips), clips.batch([0, 1]).asked()
    calls: list[int] = []
    model.text.register_forward_hook(lambda *_: calls.append(1))
    model.generate(batch, Draws([1, 2]))
    assert len(calls) == 2  # with and without text


def test_progress_does_not_depend_on_padding() -> None:
    frames = torch.tensor([9, 20])
    assert torch.allclose(progress_waves(frames, 20)[:1, :12], progress_waves(frames[:1], 12), atol=1e-6)


@each_variant
def test_the_loss_falls_on_a_toy_set(config: MDMConfig) -> None:
    clips = toy_clips(2, frames=[12, 10])
    model, batch = model_of(replace(config, dropout=0.0), clips), clips.batch([0, 1])
    before = validated(model, batch)
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-2)
    for step in range(40):
        torch.manual_seed(step)
        loss = model.losses(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert validated(model, batch) < 0.7 * before


def validated(model: MDM, batch: Batch) -> float:
    torch.manual_seed(0)
    with torch.no_grad():
        return float(model.eval().losses(batch)["loss"])


@pytest.mark.parametrize("preset", ["embedded", "paper"])
def test_every_preset_does_one_step(preset: str) -> None:
    recipe = PRESETS["mdm"][preset]
    clips = toy_clips(2, text_width=32)
    config = replace(recipe.config, layers=min(recipe.config.layers, 2))
    model = MDM(config, Context(clips.text_width, clips.audio_width))
    model.fit(clips)
    before = model.leave.weight.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.schedule.learning_rate)
    model.losses(clips.batch([0, 1]))["loss"].backward()  # type: ignore[no-untyped-call]
    missing = [name for name, value in model.named_parameters() if value.grad is None]
    optimizer.step()
    assert not missing
    assert not torch.equal(before, model.leave.weight)


def test_presets_have_the_sizes_they_claim() -> None:
    def millions(preset: str, text: int) -> float:
        model = MDM(PRESETS["mdm"][preset].config, Context(text, 160))
        return sum(value.numel() for value in model.parameters()) / 1e6

    assert 0.8 < millions("embedded", 384) < 1.1
    assert millions("paper", 768) == pytest.approx(17.7, abs=0.2)


def test_it_runs_under_autocast_in_low_precision() -> None:
    clips = toy_clips(2)
    for config in VARIANTS:
        model, batch = model_of(config, clips).train(), clips.batch([0, 1])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model.losses(batch)["loss"]
        assert loss.dtype == torch.float32 and bool(loss.isfinite())


def test_weights_load_strictly_into_a_new_network() -> None:
    clips = toy_clips(2)
    for config in VARIANTS:
        model, other = model_of(config, clips), MDM(config, toy_context(clips)).eval()
        other.load_state_dict(model.state_dict())
        batch = clips.batch([0, 1]).asked()
        assert torch.equal(model.generate(batch, Draws([1, 2])), other.generate(batch, Draws([1, 2])))


def test_deviations_are_sentences() -> None:
    assert all(line[0].isupper() and line.endswith(".") for line in DEVIATIONS["mdm"])
