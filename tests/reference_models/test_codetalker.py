"""CodeTalker: codes of single frames, batches with masks, generation from its own decoded past."""

from dataclasses import replace

import pytest
import torch

from reference_models.batch import Batch, length_mask
from reference_models.catalogue import NETWORKS
from reference_models.codetalker import DEVIATIONS, PRESETS, CodesConfig, CodeTalker, Config, FaceCodes
from reference_models.data import Clips
from reference_models.parts.draws import Draws
from reference_models.parts.face_codes import Norm
from reference_models.parts.face_target import Output
from reference_models.parts.text_slot import Slot
from reference_models.recipe import Context
from tests.reference_models.toy import toy_clips, toy_context

_CODES = CodesConfig(width=16, layers=2, heads=2, codes_per_frame=4, entries=16, output="parameters")
_SMALL = Config(width=16, layers=2, heads=2, hidden=32, period=5, audio_layers=1, output="parameters", rollout=8)


def _stage1(clips: Clips, config: CodesConfig = _CODES) -> FaceCodes:
    torch.manual_seed(0)
    codes = FaceCodes(config, toy_context(clips))
    codes.fit(clips)
    with torch.no_grad():  # codes as far apart as features, so that several are in use before training
        codes.book.codebook.normal_()
    return codes


def _stage2(clips: Clips, config: Config = _SMALL, norm: Norm = "instance") -> CodeTalker:
    codes = _stage1(clips, replace(_CODES, output=config.output, norm=norm))
    model = CodeTalker(config, toy_context(clips, {"codetalker_codes": codes}))
    model.fit(clips)
    torch.nn.init.normal_(model.out.weight, std=0.5)  # a zero head would hide what its input is
    return model.eval()


@pytest.mark.parametrize("norm", ["instance", "layer", "none"])
def test_reconstruction_does_not_depend_on_the_batch(norm: Norm) -> None:
    """The original indexes positions by the batch and norms over padding: its results change with the batch."""
    clips = toy_clips(5)
    codes = _stage1(clips, replace(_CODES, norm=norm)).eval()
    batch = clips.batch(range(5))

    def rebuilt(frames: torch.Tensor, motion: torch.Tensor) -> torch.Tensor:
        mask = length_mask(frames, motion.shape[1])
        return codes.decode(codes.quantise(codes.encode(motion, frames), mask)[0], frames)

    together = rebuilt(batch.frames, codes.target.target(batch))
    for row in range(5):
        alone = clips.batch([row])
        frames = int(alone.frames)
        assert torch.allclose(
            rebuilt(alone.frames, codes.target.target(alone))[0, :frames], together[row, :frames], atol=1e-4
        )


def test_constant_clips_have_equal_features_under_instance_norm() -> None:
    """A property of the original: held expressions are invisible to its codes. Not so with the other norms."""
    clips = toy_clips(1)
    frames = torch.tensor([12, 12])
    held = torch.randn(2, 1, 56).expand(2, 12, 56)
    cases: tuple[tuple[Norm, bool], ...] = (("instance", True), ("layer", False), ("none", False))
    for norm, equal in cases:
        features = _stage1(clips, replace(_CODES, norm=norm)).eval().encode(held, frames)
        assert torch.allclose(features[0], features[1], atol=1e-3) is equal, norm


def test_several_codes_are_in_use_and_gradients_pass_straight_through() -> None:
    clips = toy_clips()
    codes, batch = _stage1(clips), clips.batch(range(6))
    losses = codes.losses(batch)
    assert losses["perplexity"] > 1
    features = torch.randn(6, batch.padded, 16, requires_grad=True)
    quantised, _ = codes.quantise(features, batch.mask)
    weight = torch.randn_like(quantised)
    (quantised * weight).sum().backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    assert torch.equal(features.grad, weight)


def test_both_stages_learn_a_toy_set() -> None:
    clips = toy_clips()
    batch, codes = clips.batch(range(6)), _stage1(clips, replace(_CODES, dropout=0.0))
    first, last = _train(codes, batch, 25)
    assert last < 0.9 * first
    talker = CodeTalker(replace(_SMALL, dropout=0.0), toy_context(clips, {"codetalker_codes": codes}))
    talker.fit(clips)
    before = {name: value.clone() for name, value in codes.state_dict().items()}
    first, last = _train(talker, batch, 25)
    assert last < 0.9 * first
    assert all(torch.equal(value, before[name]) for name, value in codes.state_dict().items())
    assert not any("book" in name for name in talker.state_dict())


def _train(model: FaceCodes | CodeTalker, batch: Batch, steps: int) -> tuple[float, float]:
    model.train()
    optimiser = torch.optim.Adam([value for value in model.parameters() if value.requires_grad], 5e-3)
    errors = []
    for _ in range(steps):
        losses = model.losses(batch)
        optimiser.zero_grad()
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        errors.append(losses["motion"].item())
    return errors[0], errors[-1]


def test_generating_equals_recomputing_the_whole_prefix_each_step() -> None:
    """The reference runs every past frame through both stages in each step, as the original does."""
    clips = toy_clips(frames=[8, 8])
    model, batch = _stage2(clips), clips.batch([0, 1]).asked()
    assert batch.audio is not None
    with torch.no_grad():
        audio, style = model.audio(batch), model.text.style(batch, 16)
        past = torch.zeros(2, 0, model.codes.target.width)
        for step in range(8):
            fed = torch.cat([past, past.new_zeros(2, 1, past.shape[2])], dim=1)  # the last one is never looked at
            features = model._features(fed, audio[:, : step + 1], style)
            frames = torch.full((2,), step + 1)
            codes, _ = model.codes.quantise(features, length_mask(frames, step + 1))
            past = torch.cat([past, model.codes.decode(codes, frames)[:, -1:]], dim=1)
        expected = model.codes.target.motion(model.codes.decode(codes, frames))
    assert torch.allclose(model.generate(batch, Draws([0, 1])), expected, atol=1e-4)


def test_features_never_see_later_frames_or_later_speech() -> None:
    clips = toy_clips(frames=[20])
    model = _stage2(clips, replace(_SMALL, audio_layers=0))
    past, audio, style = torch.randn(1, 20, 56), torch.randn(1, 20, 16), torch.randn(1, 1, 16)
    before = model._features(past, audio, style)
    past[:, 10:], audio[:, 11:] = 0, 0
    assert torch.allclose(model._features(past, audio, style)[:, :11], before[:, :11], atol=1e-5)


@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("output", ["vertices", "parameters"])
@pytest.mark.parametrize("slot", ["style", "offset"])
def test_a_clip_comes_out_the_same_alone_and_in_a_batch(slot: Slot, output: Output, window: int | None) -> None:
    clips = toy_clips(3, frames=[12, 9, 7])
    model = _stage2(clips, replace(_SMALL, slot=slot, output=output, window=window))
    batch = clips.batch(range(3)).asked()
    together = model.generate(batch, Draws([0] * 3))
    width = (56,) if output == "parameters" else (len(Context(16, 12).head_model.region_ids), 3)
    assert together.shape == (3, batch.padded, *width)
    for row in range(3):
        alone = model.generate(clips.batch([row]).asked(), Draws([1]))
        assert torch.allclose(alone[0, : clips.frames[row]], together[row, : clips.frames[row]], atol=1e-4)
    other = model.generate(replace(batch, full=batch.full + 1), Draws([0] * 3))
    assert not torch.allclose(other[:, :7], together[:, :7], atol=1e-5)


@pytest.mark.parametrize("slot", ["style", "offset"])
def test_evaluation_selects_by_a_rollout(slot: Slot) -> None:
    clips = toy_clips()
    model, batch = _stage2(clips, replace(_SMALL, slot=slot)), clips.batch(range(6))
    losses = model.losses(batch)
    assert torch.isfinite(losses["selection"])
    assert losses["selection"] != losses["motion"]
    assert "selection" not in model.train().losses(batch)


def test_training_may_be_fed_with_its_own_frames() -> None:
    clips = toy_clips()
    model, batch = _stage2(clips, replace(_SMALL, own=0.5)).train(), clips.batch(range(6))
    losses = model.losses(batch)
    losses["loss"].backward()  # type: ignore[no-untyped-call]
    assert model.into.weight.grad is not None


def test_stages_of_different_outputs_do_not_fit() -> None:
    clips = toy_clips(2)
    with pytest.raises(ValueError, match="stage 1 gives parameters"):
        CodeTalker(replace(_SMALL, output="vertices"), toy_context(clips, {"codetalker_codes": _stage1(clips)}))


@pytest.mark.parametrize("preset", ["embedded", "paper"])
def test_every_preset_does_a_step(preset: str) -> None:
    """The paper's at a sixteenth of the width and one layer: at full size a step takes minutes on a CPU."""
    clips, recipes = toy_clips(2), [PRESETS[name][preset].config for name in ("codetalker_codes", "codetalker")]
    if preset == "paper":
        recipes = [replace(config, width=64, layers=1) for config in recipes]
    codes = FaceCodes(recipes[0], toy_context(clips))
    codes.fit(clips)
    codes.losses(clips.batch([0, 1]))["loss"].backward()  # type: ignore[no-untyped-call]
    talker = CodeTalker(recipes[1], toy_context(clips, {"codetalker_codes": codes}))
    talker.fit(clips)
    loss = talker.losses(clips.batch([0, 1]))["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert set(DEVIATIONS) == set(PRESETS) <= set(NETWORKS)
    if preset == "embedded":
        count = sum(value.numel() for model in (codes, talker) for value in model.parameters())
        assert count < 2_200_000


def test_both_stages_run_in_half_precision() -> None:
    clips = toy_clips(2)
    model, batch = _stage2(clips), clips.batch([0, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.isfinite(model.losses(batch)["selection"])
        assert torch.isfinite(model.codes.losses(batch)["loss"])
        assert torch.isfinite(model.generate(batch.asked(), Draws([0, 1]))[:, :9]).all()
