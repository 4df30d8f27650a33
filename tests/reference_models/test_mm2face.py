from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from benchmark.errors import InputError
from reference_models.batch import RATE, Batch, length_mask
from reference_models.mm2face import PRESETS, Config, MM2Face, Steps, ablation
from reference_models.parts.draws import Draws
from reference_models.parts.fusion import FUSIONS, without_texts
from reference_models.parts.sampling import Sampling
from reference_models.recipe import Context
from tests.reference_models.toy import toy_clips, toy_context

CODES = 24
TINY = Config(width=16, layers=2, heads=2, hidden=32, sampling=Sampling(guidance=1.5))
every_fusion = pytest.mark.parametrize("fusion", FUSIONS)
with_and_without_speech = pytest.mark.parametrize("audio", [True, False], ids=["speech", "silent"])


class FakeTokenizer(nn.Module):
    """The code of four frames is the largest of some projections of them; beyond a clip's end there is rubbish."""

    codes = CODES
    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(RATE * 56, CODES, generator=chance))
        self.register_buffer("table", torch.randn(CODES, RATE, 56, generator=chance))

    def encode(self, motion: Tensor, frames: Tensor) -> Tensor:
        tokens = (motion.reshape(len(motion), -1, RATE * 56) @ self.weight).argmax(-1)
        ended = ~length_mask((frames + RATE - 1) // RATE, tokens.shape[1])
        return tokens.masked_fill(ended, CODES + 7)

    def decode(self, tokens: Tensor, frames: Tensor) -> Tensor:  # noqa: ARG002 - nothing to cut
        return self.table[tokens].flatten(1, 2)


def context(audio: bool = True) -> Context:
    return toy_context(toy_clips(audio=audio), {"vqvae": FakeTokenizer()})


def model_of(fusion: str = FUSIONS[0], audio: bool = True, config: Config = TINY) -> MM2Face:
    """Weights far from their beginnings, so that every source has a say."""
    torch.manual_seed(0)
    model = MM2Face(replace(config, fusion=fusion), context(audio)).eval()
    model.fit(toy_clips(audio=audio))
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * 0.2)
    return model


def batch_of(audio: bool = True, rows: tuple[int, ...] = (0, 1, 2, 3)) -> Batch:
    return toy_clips(audio=audio).batch(rows)


def some_tokens(batch: Batch, seed: int = 0) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.randint(CODES, (len(batch), batch.padded // RATE), generator=chance)


def seeds(batch: Batch, first: int = 0) -> Draws:
    return Draws(range(first, first + len(batch)))


@every_fusion
@with_and_without_speech
def test_cached_logits_are_those_of_the_whole_prefix(fusion: str, audio: bool) -> None:
    model, batch = model_of(fusion, audio), batch_of(audio)
    tokens, dropped = some_tokens(batch), torch.tensor([False, True, False, True])
    steps = Steps(model, batch, dropped)
    previous = [torch.full((len(batch),), CODES), *tokens[:, :-1].unbind(1)]
    cached = torch.stack([steps(token) for token in previous], dim=1)
    whole = model(batch, tokens[:, :-1], dropped)
    assert whole.shape == (4, batch.padded // RATE, CODES)
    torch.testing.assert_close(cached, whole, atol=1e-5, rtol=1e-4)


@every_fusion
@with_and_without_speech
def test_cached_and_naive_sampling_draw_the_same_tokens(fusion: str, audio: bool) -> None:
    model, batch = model_of(fusion, audio), batch_of(audio)
    assert torch.equal(model.sample(batch, seeds(batch)), model.sample_uncached(batch, seeds(batch)))
    whole = model.generate(batch, seeds(batch))
    assert whole.shape == (4, batch.padded, 56)
    torch.testing.assert_close(whole, model.generate_uncached(batch, seeds(batch)))


@every_fusion
def test_later_tokens_never_change_a_logit(fusion: str) -> None:
    model, batch = model_of(fusion), batch_of()
    tokens, cut = some_tokens(batch)[:, :-1], 2
    other = torch.cat([tokens[:, :cut], (tokens[:, cut:] + 1) % CODES], dim=1)
    one, two = model(batch, tokens), model(batch, other)
    torch.testing.assert_close(one[:, : cut + 1], two[:, : cut + 1])
    assert (one[:, cut + 1] - two[:, cut + 1]).abs().max() > 1e-3


@every_fusion
def test_speech_changes_the_logits_of_its_own_token_and_of_none_before(fusion: str) -> None:
    model, batch, group = model_of(fusion), batch_of(), 2
    assert batch.audio is not None
    audio = batch.audio.clone()
    audio[:, group * RATE : (group + 1) * RATE] += 1
    tokens = some_tokens(batch)[:, :-1]
    one, two = model(batch, tokens), model(replace(batch, audio=audio), tokens)
    torch.testing.assert_close(one[:, :group], two[:, :group])
    assert ((one - two)[:, group].abs().amax(-1) > 1e-3).all()


@pytest.mark.parametrize("fusion", [name for name in FUSIONS if name.endswith("a")])
def test_speech_of_a_token_reaches_no_other_through_one_block(fusion: str) -> None:
    model, batch, group = model_of(fusion, config=replace(TINY, layers=1)), batch_of(), 1
    assert batch.audio is not None
    audio = batch.audio.clone()
    audio[:, group * RATE : (group + 1) * RATE] += 1
    tokens = some_tokens(batch)[:, :-1]
    change = (model(batch, tokens) - model(replace(batch, audio=audio), tokens)).abs().amax(-1)
    assert (change[:, group] > 1e-3).all()
    assert change[:, group + 1 :].max() < 1e-5


@every_fusion
def test_no_text_sees_speech(fusion: str) -> None:
    batch, model = batch_of(), model_of(fusion)
    sources = model.fusion(batch)
    texts = sources.prefix.shape[1] - (batch.padded // RATE if fusion.endswith("a|") else 0)
    sees = sources.sees[:, 0]
    assert not sees[:, :texts, texts:].any()
    assert sees.any(-1).all()
    if model.fusion.cross:
        assert sources.sees_memory.any(-1).all()


@every_fusion
@with_and_without_speech
def test_padding_and_neighbours_change_nothing(fusion: str, audio: bool) -> None:
    model, batch, tokens = model_of(fusion, audio), batch_of(audio), some_tokens(batch_of(audio))
    together = model(batch, tokens[:, :-1])
    for row in range(len(batch)):
        alone = batch_of(audio, (row,))
        count = alone.padded // RATE
        single = model(alone, tokens[row : row + 1, : count - 1])
        torch.testing.assert_close(single[0], together[row, :count], atol=1e-5, rtol=1e-4)


@every_fusion
def test_what_lies_in_padding_is_never_read(fusion: str) -> None:
    model, batch = model_of(fusion), batch_of()
    assert batch.audio is not None
    rubbish = replace(
        batch,
        audio=torch.where(batch.mask[..., None], batch.audio, 9.0),
        text=torch.where(batch.text_mask[..., None], batch.text, 9.0),
        full=torch.where(batch.full_mask[..., None], batch.full, 9.0),
    )
    tokens = some_tokens(batch)[:, :-1]
    torch.testing.assert_close(model(batch, tokens), model(rubbish, tokens))


@with_and_without_speech
def test_a_batch_of_one_gives_the_motion_of_a_batch_of_eight(audio: bool) -> None:
    clips, model = toy_clips(8, audio=audio), model_of(audio=audio)
    batch = clips.batch(range(8))
    together = model.generate(batch, seeds(batch))
    for row in range(8):
        alone = clips.batch([row])
        length = int(alone.frames)
        torch.testing.assert_close(model.generate(alone, Draws([row]))[0, :length], together[row, :length])


def test_the_same_seed_gives_the_same_motion_and_another_seed_another() -> None:
    model, batch = model_of(), batch_of()
    motion = model.generate(batch, seeds(batch))
    torch.testing.assert_close(motion, model.generate(batch, seeds(batch)), atol=0, rtol=0)
    assert not torch.equal(motion, model.generate(batch, seeds(batch, 100)))


@every_fusion
@with_and_without_speech
def test_every_clip_follows_its_text(fusion: str, audio: bool) -> None:
    model, batch, tokens = model_of(fusion, audio), batch_of(audio), some_tokens(batch_of(audio))[:, :-1]
    other = replace(batch, text=batch.text.flip(-1), full=batch.full.flip(-1))
    assert ((model(batch, tokens) - model(other, tokens)).abs().amax((1, 2)) > 1e-3).all()


def test_a_hidden_one_of_the_five_texts_is_never_read() -> None:
    model, batch, tokens = model_of(), batch_of(), some_tokens(batch_of())[:, :-1]
    shown = torch.tensor([True, False, True, True, True]).expand(len(batch), -1)
    fielded = replace(batch, text=torch.where((batch.text_field == 1)[..., None], 9.0, batch.text))
    torch.testing.assert_close(model(batch, tokens, None, shown), model(fielded, tokens, None, shown))
    assert (model(batch, tokens) - model(fielded, tokens)).abs().max() > 1e-3


@every_fusion
@with_and_without_speech
def test_texts_cut_off_are_the_same_as_texts_hidden(fusion: str, audio: bool) -> None:
    model, batch, tokens = model_of(fusion, audio), batch_of(audio), some_tokens(batch_of(audio))[:, :-1]
    hidden = torch.ones(len(batch), dtype=torch.bool)
    torch.testing.assert_close(model(without_texts(batch), tokens), model(batch, tokens, hidden), atol=1e-5, rtol=1e-4)


@every_fusion
@with_and_without_speech
def test_a_clip_without_any_text_has_finite_logits(fusion: str, audio: bool) -> None:
    batch = batch_of(audio)
    empty = replace(batch, text_field=torch.full_like(batch.text_field, -1), full_mask=batch.full_mask & False)
    assert model_of(fusion, audio)(empty, some_tokens(batch)[:, :-1]).isfinite().all()


def test_guidance_of_one_is_none_and_more_goes_towards_the_text() -> None:
    batch = batch_of()
    plain = model_of(config=replace(TINY, sampling=Sampling(guidance=1.0)))
    near = model_of(config=replace(TINY, sampling=Sampling(guidance=1.0 + 1e-6)))
    strong = model_of(config=replace(TINY, sampling=Sampling(guidance=4.0)))
    assert torch.equal(plain.sample(batch, seeds(batch)), near.sample(batch, seeds(batch)))
    assert not torch.equal(plain.sample(batch, seeds(batch)), strong.sample(batch, seeds(batch)))


def test_length_is_known_only_where_the_config_says_so() -> None:
    batch = batch_of()
    longer, tokens = replace(batch, frames=(batch.frames - 8).clamp(min=1)), some_tokens(batch)[:, :3]
    knows, does_not = model_of(audio=False), model_of(audio=False, config=replace(TINY, knows_length=False))
    assert (knows(batch, tokens) - knows(longer, tokens)).abs().max() > 1e-3
    torch.testing.assert_close(does_not(batch, tokens), does_not(longer, tokens))


@every_fusion
@with_and_without_speech
@pytest.mark.parametrize("preset", ["embedded", "paper"])
def test_every_fusion_of_every_preset_makes_a_step(fusion: str, audio: bool, preset: str) -> None:
    recipe = ablation(PRESETS["mm2face"][preset], fusion)
    layers = recipe.config.layers if fusion == FUSIONS[0] else 1
    model = MM2Face(replace(recipe.config, layers=layers), context(audio)).train()
    report = model.losses(batch_of(audio))
    assert set(report) == {"loss", "accuracy"}
    report["loss"].backward()  # type: ignore[no-untyped-call]
    unused = [name for name, weights in model.named_parameters() if weights.grad is None]
    assert not unused, "every weight has a gradient, as training over several processes wants"
    assert model.eval().losses(batch_of(audio))["selection"].isfinite()


def test_an_unknown_fusion_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no such fusion"):
        ablation(PRESETS["mm2face"]["embedded"], "ft|ht")


@with_and_without_speech
def test_loss_falls_on_a_toy_set(audio: bool) -> None:
    torch.manual_seed(0)
    model = MM2Face(replace(TINY, width=32, heads=4, dropout=0.0, corruption=0.0), context(audio))
    batch = batch_of(audio)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    before = model.eval().losses(batch)["selection"].detach()
    model.train()
    for _ in range(30):
        optimiser.zero_grad()
        model.losses(batch)["loss"].backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    after = model.eval().losses(batch)
    assert after["selection"] < before / 4
    assert after["accuracy"] > 0.8


def test_the_loss_weighs_clips_alike_and_ignores_padding() -> None:
    model, batch = model_of(), batch_of()
    each = [model.losses(batch_of(rows=(row,)))["loss"] for row in range(len(batch))]
    torch.testing.assert_close(model.losses(batch)["loss"], torch.stack(each).mean())


def test_corruption_replaces_its_share_and_one_text_always_stays() -> None:
    torch.manual_seed(0)
    model = model_of(config=replace(TINY, corruption=0.5, condition_dropout=0.25, field_dropout=0.9))
    tokens, dropped, shown = model._corrupt(torch.zeros(2000, 20, dtype=torch.long))
    assert (tokens > 0).float().mean() == pytest.approx(0.5 * (1 - 1 / CODES), abs=0.02)
    assert dropped.float().mean() == pytest.approx(0.25, abs=0.04)
    assert shown.any(1).all()
    assert shown.float().mean() < 0.4


def test_the_tokenizer_is_no_part_of_the_weights_and_they_load_strictly() -> None:
    model, other = model_of(), MM2Face(TINY, context())
    state = model.state_dict()
    assert not any("tokenizer" in name or value.shape == (RATE * 56, CODES) for name, value in state.items())
    assert "fusion.audio_mean" in state, "the scale of the speech belongs to the weights"
    other.load_state_dict(state, strict=True)
    batch = batch_of()
    assert torch.equal(other.eval().sample(batch, seeds(batch)), model.sample(batch, seeds(batch)))


def test_it_works_under_half_precision_autocast() -> None:
    model, batch = model_of(), batch_of()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.generate(batch, seeds(batch)).dtype == torch.float32
        assert model.train().losses(batch)["loss"].dtype == torch.float32
