from dataclasses import replace

import pytest
import torch
from torch import Tensor

from reference_models.batch import Batch
from reference_models.data import Clips
from reference_models.facediffuser import DEVIATIONS, PRESETS, FaceDiffuser, FaceDiffuserConfig
from reference_models.parts.draws import Draws
from reference_models.recipe import Context
from tests.reference_models.toy import toy_clips, toy_context

TINY = FaceDiffuserConfig(
    width=16, text_width=8, time_width=8, audio_width=8, audio_layers=2, steps=10, ddim_steps=4, dropout=0.0
)
VARIANTS = {
    "convolutions, ddim": TINY,
    "raw features, ddpm": replace(TINY, audio_width=None, sampler="ddpm"),
    "vertices, ddim": replace(TINY, output="vertices", audio_layers=0),
}
each_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)


def model_of(config: FaceDiffuserConfig, clips: Clips) -> FaceDiffuser:
    torch.manual_seed(0)
    model = FaceDiffuser(config, toy_context(clips))
    model.fit(clips)
    torch.nn.init.normal_(model.leave.weight, std=0.3)  # zero in the vertex variant: nothing would reach the output
    return model.eval()


def predicted(model: FaceDiffuser, noisy: Tensor, batch: Batch, step: int = 3) -> Tensor:
    with torch.no_grad():
        return model.denoise(noisy, torch.full((len(batch),), step), model.told(batch))


@each_variant
def test_motions_have_the_shape_asked_for_and_follow_their_seeds(config: FaceDiffuserConfig) -> None:
    clips = toy_clips(2)
    model, batch = model_of(config, clips), clips.batch([0, 1]).asked()
    first = model.generate(batch, Draws([1, 2]))
    vertices = (len(toy_context(clips).head_model.region_ids), 3)
    assert first.shape == (2, batch.padded, *(vertices if config.output == "vertices" else (56,)))
    assert torch.equal(first, model.generate(batch, Draws([1, 2])))
    assert not torch.allclose(first, model.generate(batch, Draws([3, 4])), atol=1e-6)


@each_variant
def test_a_clip_is_the_same_alone_and_among_others(config: FaceDiffuserConfig) -> None:
    lengths = [9, 24, 17, 12]
    clips = toy_clips(4, frames=lengths)
    model = model_of(config, clips)
    together = model.generate(clips.batch([0, 1, 2, 3]).asked(), Draws([5, 6, 7, 8]))
    for row, length in enumerate(lengths):
        alone = model.generate(clips.batch([row]).asked(), Draws([5 + row]))
        assert torch.allclose(together[row, :length], alone[0, :length], atol=1e-4)


@each_variant
def test_hearing_once_gives_the_motion_of_hearing_at_every_step(config: FaceDiffuserConfig) -> None:
    clips = toy_clips(3)
    model, batch = model_of(config, clips), clips.batch([0, 1, 2]).asked()
    heard: list[int] = []

    def hear() -> Tensor:
        heard.append(1)
        assert batch.audio is not None
        return batch.audio

    once = model.generate(batch, Draws([1, 2, 3]))
    assert torch.allclose(once, model.generate_slow(batch, Draws([1, 2, 3])), atol=1e-6)
    assert torch.allclose(once, model.generate_slow(batch, Draws([1, 2, 3]), hear), atol=1e-6)
    assert len(heard) == (config.steps if config.sampler == "ddpm" else config.ddim_steps)


@each_variant
def test_later_noise_and_speech_never_change_an_earlier_frame(config: FaceDiffuserConfig) -> None:
    clips = toy_clips(1, frames=[24])
    model, batch = model_of(config, clips), clips.batch([0])
    assert batch.audio is not None
    noisy = torch.randn(1, 24, model.target.width)
    later, speech = noisy.clone(), batch.audio.clone()
    later[:, 12:] += 1
    speech[:, 12:] += 1
    before = predicted(model, noisy, batch)
    assert torch.allclose(before[:, :12], predicted(model, later, batch)[:, :12], atol=1e-6)
    assert not torch.allclose(before[:, 12:], predicted(model, later, batch)[:, 12:])
    reach = 2 * sum(2**layer for layer in range(config.audio_layers)) if config.audio_width else 0
    after = predicted(model, noisy, replace(batch, audio=speech))
    assert torch.allclose(before[:, : 12 - reach], after[:, : 12 - reach], atol=1e-6)
    assert not torch.allclose(before[:, 12:], after[:, 12:])


@each_variant
def test_padding_changes_neither_loss_nor_sample(config: FaceDiffuserConfig) -> None:
    clips = toy_clips(4)
    model, batch = model_of(config, clips), clips.batch([0, 1, 2, 3])
    assert batch.motion is not None and batch.audio is not None
    beyond = ~batch.mask[..., None]
    full = batch.full + 7.0 * ~batch.full_mask[..., None]
    other = replace(batch, motion=batch.motion + 0.1 * beyond, audio=batch.audio + 5.0 * beyond, full=full)
    for training in (False, True):
        model.train(training)
        losses = []
        for some in (batch, other):
            torch.manual_seed(3)
            losses.append(model.losses(some)["loss"].detach())
        assert torch.allclose(losses[0], losses[1], atol=1e-5)
    one, two = (model.eval().generate(some.asked(), Draws([1, 2, 3, 4])) for some in (batch, other))
    for row, length in enumerate(batch.frames.tolist()):
        assert torch.allclose(one[row, :length], two[row, :length], atol=1e-4)


@each_variant
def test_text_alone_moves_the_output(config: FaceDiffuserConfig) -> None:
    clips = toy_clips(2)
    model, batch = model_of(config, clips), clips.batch([0, 1]).asked()
    other = replace(batch, full=batch.full.flip(0), full_mask=batch.full_mask.flip(0))
    assert not torch.allclose(model.generate(batch, Draws([1, 2])), model.generate(other, Draws([1, 2])), atol=1e-6)


def test_ddim_over_all_steps_differs_from_ddpm_only_in_its_noise() -> None:
    clips = toy_clips(2)
    batch = clips.batch([0, 1]).asked()
    model = model_of(replace(TINY, sampler="ddpm"), clips)
    noisy = model.generate(batch, Draws([1, 2]))
    model.config = replace(TINY, sampler="ddim", ddim_steps=TINY.steps)
    smooth = model.generate(batch, Draws([1, 2]))
    assert noisy.shape == smooth.shape and not torch.allclose(noisy, smooth)


def test_an_untrained_vertex_variant_shows_the_neutral_face() -> None:
    clips = toy_clips(1)
    model = FaceDiffuser(VARIANTS["vertices, ddim"], toy_context(clips)).eval()
    model.fit(clips)
    motion = model.generate(clips.batch([0]).asked(), Draws([1]))
    assert torch.allclose(motion[0, 0].flatten(), model.target.neutral, atol=1e-5)


@each_variant
def test_the_loss_falls_on_a_toy_set(config: FaceDiffuserConfig) -> None:
    clips = toy_clips(2, frames=[12, 10])
    model, batch = model_of(config, clips), clips.batch([0, 1])
    torch.nn.init.zeros_(model.leave.weight)
    before = validated(model, batch)
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-2)
    for step in range(40):
        torch.manual_seed(step)
        loss = model.losses(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert validated(model, batch) < 0.7 * before


def validated(model: FaceDiffuser, batch: Batch) -> float:
    torch.manual_seed(0)
    with torch.no_grad():
        return float(model.eval().losses(batch)["loss"])


@pytest.mark.parametrize("preset", ["embedded", "paper"])
def test_every_preset_does_one_step(preset: str) -> None:
    recipe = PRESETS["facediffuser"][preset]
    clips = toy_clips(2, text_width=768, audio_width=768)
    model = FaceDiffuser(recipe.config, Context(clips.text_width, clips.audio_width))
    model.fit(clips)
    before = model.leave.weight.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.schedule.learning_rate)
    model.losses(clips.batch([0, 1]))["loss"].backward()  # type: ignore[no-untyped-call]
    missing = [name for name, value in model.named_parameters() if value.grad is None]
    optimizer.step()
    assert not missing
    assert not torch.equal(before, model.leave.weight)


def test_presets_have_the_sizes_they_claim() -> None:
    def parameters(preset: str, text: int, audio: int) -> int:
        model = FaceDiffuser(PRESETS["facediffuser"][preset].config, Context(text, audio))
        return sum(value.numel() for value in model.parameters())

    assert parameters("embedded", 384, 160) < 1_200_000
    # With two stacked speech frames and a bias of the step's code it is 2,483,624 and the text's 196,864.
    assert parameters("paper", 768, 768) == 2_483_624 + 196_864 - (3 * 256 + 2) * 768 - 256


def test_it_runs_under_autocast_in_low_precision() -> None:
    clips = toy_clips(2)
    for config in VARIANTS.values():
        model, batch = model_of(config, clips).train(), clips.batch([0, 1])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model.losses(batch)["loss"]
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.dtype == torch.float32 and bool(loss.isfinite())


def test_weights_load_strictly_into_a_new_network() -> None:
    clips = toy_clips(2)
    for config in VARIANTS.values():
        model, other = model_of(config, clips), FaceDiffuser(config, toy_context(clips)).eval()
        other.load_state_dict(model.state_dict())
        batch = clips.batch([0, 1]).asked()
        assert torch.equal(model.generate(batch, Draws([1, 2])), other.generate(batch, Draws([1, 2])))


def test_deviations_are_sentences() -> None:
    assert all(line[0].isupper() and line.endswith(".") for line in DEVIATIONS["facediffuser"])
