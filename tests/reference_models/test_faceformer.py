"""FaceFormer: its loop, its slots, its outputs."""

from dataclasses import replace
from typing import Literal

import pytest
import torch

from reference_models.batch import clip_mean
from reference_models.data import Clips
from reference_models.faceformer import PRESETS, FaceFormer, FaceFormerConfig
from reference_models.parts.draws import Draws
from reference_models.parts.face_target import Output
from reference_models.parts.text_slot import Slot
from reference_models.recipe import Context
from tests.reference_models.toy import toy_clips, toy_context

TINY = FaceFormerConfig(output="parameters", width=16, heads=2, period=5, dropout=0.0, audio_layers=2)


def built(config: FaceFormerConfig, clips: Clips, stirred: bool = True) -> FaceFormer:
    """A model in evaluation mode; stirred, its output map is no longer zero."""
    torch.manual_seed(0)
    model = FaceFormer(config, toy_context(clips))
    model.fit(clips)
    if stirred:
        torch.nn.init.normal_(model.leave.weight, std=0.3 if config.output == "parameters" else 0.05)
        torch.nn.init.normal_(model.leave.bias, std=0.3)
    return model.eval()


@torch.no_grad()
def moved(model: FaceFormer, clips: Clips, items: list[int]) -> torch.Tensor:
    return model.generate(clips.batch(items).asked(), Draws(items))


@pytest.mark.parametrize("output", ["vertices", "parameters"])
@pytest.mark.parametrize("slot", ["style", "offset"])
@torch.no_grad()
def test_collapsed_cached_loop_equals_going_to_the_face_and_back_on_every_prefix(output: Output, slot: Slot) -> None:
    clips = toy_clips(3)
    model = built(replace(TINY, output=output, slot=slot, layers=2), clips)
    batch = clips.batch([0, 1, 2]).asked()
    torch.testing.assert_close(
        model.generate(batch, Draws([0, 1, 2])), model.generate_uncached(batch), atol=1e-4, rtol=0
    )


def test_first_token_is_the_style_alone_and_later_ones_are_the_last_face_and_the_style() -> None:
    clips = toy_clips(2)
    model = built(TINY, clips)
    batch = clips.batch([0, 1])
    target = torch.zeros(2, batch.padded, 56)
    with torch.no_grad():
        taught = model._taught(batch, target)
        model.enter.bias.add_(1)
        changed = model._taught(batch, target)
    torch.testing.assert_close(taught[:, 0], changed[:, 0])
    assert (taught[:, 1] - changed[:, 1]).abs().max() > 1e-3


def test_teacher_forcing_with_its_own_faces_gives_them_back() -> None:
    clips = toy_clips(3)
    for slot in ("style", "offset"):
        model = built(replace(TINY, slot=slot), clips)
        batch = clips.batch([0, 1, 2])
        with torch.no_grad():
            own = model._show(batch, model._loop(batch))
            torch.testing.assert_close(model._taught(batch, own), own, atol=1e-4, rtol=0)


def test_untrained_model_shows_the_neutral_face() -> None:
    clips = toy_clips(2)
    model = built(replace(TINY, output="vertices"), clips, stirred=False)
    head = Context(1, 1).head_model
    neutral = torch.from_numpy(head.template[head.region_ids]).float()
    torch.testing.assert_close(moved(model, clips, [0, 1]), neutral.expand(2, clips.batch([0, 1]).padded, -1, -1))


def test_later_speech_changes_only_what_the_context_of_the_audio_path_reaches() -> None:
    clips = toy_clips(frames=[40])
    for layers, reach in ((0, 0), (2, 6)):
        model = built(replace(TINY, audio_layers=layers), clips)
        batch = clips.batch([0]).asked()
        assert batch.audio is not None
        later = batch.audio.clone()
        later[:, 20:] += 1
        with torch.no_grad():
            one = model.generate(batch, Draws([0]))
            other = model.generate(replace(batch, audio=later), Draws([0]))
        torch.testing.assert_close(one[:, : 20 - reach], other[:, : 20 - reach], atol=1e-5, rtol=0)
        assert (one[:, 20 - reach] - other[:, 20 - reach]).abs().max() > 1e-4


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


def test_text_moves_the_face_in_time_as_style_and_shifts_it_as_offset() -> None:
    clips = toy_clips(1)
    other = replace(clips, tokens=clips.tokens + 1)
    for slot in ("style", "offset"):
        model = built(replace(TINY, slot=slot), clips)
        difference = moved(model, other, [0]) - moved(model, clips, [0])
        assert difference.abs().max() > 1e-3
        varies = float(difference.std(dim=1).max())
        assert varies < 1e-5 if slot == "offset" else varies > 1e-3


def test_loss_is_the_mean_squared_error_of_valid_frames_clip_by_clip() -> None:
    clips = toy_clips(3)
    model = built(TINY, clips)
    batch = clips.batch([0, 1, 2])
    with torch.no_grad():
        error = model._show(batch, model._loop(batch)) - model.face.target(batch)
        slow = [error[row, : int(clips.frames[row])].square().mean() for row in range(3)]
        torch.testing.assert_close(model.losses(batch)["loss"], torch.stack(slow).mean())
        torch.testing.assert_close(clip_mean(error.square(), batch.mask), torch.stack(slow).mean())


@pytest.mark.parametrize("output", ["vertices", "parameters"])
@pytest.mark.parametrize("slot", ["style", "offset"])
@pytest.mark.parametrize("training", ["unroll", "teacher"])
def test_loss_falls_on_toy_clips(output: Output, slot: Slot, training: Literal["unroll", "teacher"]) -> None:
    clips = toy_clips(4, frames=[12, 9, 12, 11])
    model = built(replace(TINY, output=output, slot=slot, training=training), clips, stirred=False).train()
    batch = clips.batch([0, 1, 2, 3])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    losses = []
    for _ in range(12):
        loss = model.losses(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("preset", ["embedded", "paper"])
def test_presets_take_a_step_and_stay_small(preset: str) -> None:
    clips = toy_clips(2)
    recipe = PRESETS["faceformer"][preset]
    model = FaceFormer(recipe.config, toy_context(clips)).train()
    model.losses(clips.batch([0, 1]))["loss"].backward()  # type: ignore[no-untyped-call]
    assert all(value.grad is not None for value in model.parameters())
    if preset == "embedded":
        embedded = FaceFormer(recipe.config, Context(384, 160))
        assert sum(value.numel() for value in embedded.parameters()) < 550_000
