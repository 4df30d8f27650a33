"""T2M-GPT: order of time, corruption, loss, sampling with and without cache, lengths."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from reference_models.data import Clips
from reference_models.parts.attention import KeysAndValues
from reference_models.parts.draws import Draws
from reference_models.parts.motion_tokens import shortened, with_end
from reference_models.parts.sampling import Sampling
from reference_models.recipe import Recipe
from reference_models.t2m_gpt import DEVIATIONS, PRESETS, T2MGPT, Config
from tests.reference_models.fake_tokenizer import FakeTokenizer
from tests.reference_models.toy import toy_clips, toy_context

TINY = Config(width=16, blocks=2, heads=2)


def network(clips: Clips, config: Config = TINY, seed: int = 0) -> T2MGPT:
    torch.manual_seed(seed)
    model = T2MGPT(config, toy_context(clips, {"vqvae": FakeTokenizer()}))
    for parameter in model.parameters():  # far from the small initial values, so that differences show
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


@pytest.mark.parametrize("text", ["sentence", "sentences"])
def test_no_logit_depends_on_a_later_token(text: str) -> None:
    clips = toy_clips()
    model, batch = network(clips, replace(TINY, text=text)), clips.batch(range(6))  # type: ignore[arg-type]
    tokens = torch.randint(16, (6, 6))
    changed = tokens.clone()
    changed[:, 3:] = (changed[:, 3:] + 5) % 16
    one, other = model(batch, tokens), model(batch, changed)
    assert one.shape == (6, 7, 17)
    torch.testing.assert_close(one[:, :4], other[:, :4])
    assert (one[:, 4:] - other[:, 4:]).abs().amin(dim=-1).max() > 1e-3


@pytest.mark.parametrize("text", ["sentence", "sentences"])
def test_cached_and_uncached_logits_and_motions_are_equal(text: str) -> None:
    clips = toy_clips()
    model, batch = network(clips, replace(TINY, text=text)), clips.batch(range(6)).asked()  # type: ignore[arg-type]
    tokens = torch.randint(16, (6, 6))
    whole = model(batch, tokens)
    caches = [KeysAndValues() for _ in model.blocks]
    inputs = [model.prefix(batch), *model.embedding(tokens).split(1, dim=1)]
    starts = [0, *range(model.first, model.first + 6)]
    steps = [model.next_logits(new, start, caches)[:, -1] for new, start in zip(inputs, starts, strict=True)]
    torch.testing.assert_close(torch.stack(steps, dim=1), whole, atol=1e-5, rtol=1e-5)
    cached, naive = (run(batch, Draws(range(6))) for run in (model.generate, model.generate_uncached))
    torch.testing.assert_close(cached, naive)


def test_padding_never_changes_the_loss_of_a_clip_nor_its_motion() -> None:
    clips = toy_clips(8, frames=[9, 24, 13, 8, 21, 16, 10, 12])
    model, batch = network(clips), clips.batch(range(8))
    together = model.generate(batch.asked(), Draws(range(8)))
    assert together.shape == (8, 24, 56)
    alone = []
    for i in range(8):
        single = clips.batch([i])
        alone.append(model.losses(single)["loss"])
        motion = model.generate(single.asked(), Draws([i]))
        frames = int(clips.frames[i])
        torch.testing.assert_close(motion[0, :frames], together[i, :frames], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.losses(batch)["loss"], torch.stack(alone).mean())


def test_same_seeds_same_motion_and_other_seeds_another() -> None:
    clips = toy_clips()
    model, batch = network(clips), clips.batch(range(6)).asked()
    first, again, other = (model.generate(batch, Draws(range(s, s + 6))) for s in (0, 0, 100))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_another_text_gives_other_logits() -> None:
    clips = toy_clips()
    model = network(clips)
    tokens = torch.zeros(6, 2, dtype=torch.long)
    batch = clips.batch(range(6))
    assert (model(batch, tokens)[0, 0] - model(batch, tokens)[1, 0]).abs().max() > 1e-3


@pytest.mark.parametrize("pkeep", [1.0, 0.5, 0.0])
def test_the_rate_of_corruption_is_as_configured(pkeep: float) -> None:
    model = network(toy_clips(), replace(TINY, pkeep=pkeep))
    tokens = torch.full((400, 50), 3)
    kept = (model.corrupted(tokens) == 3).float().mean()
    assert kept == pytest.approx(pkeep + (1 - pkeep) / 16, abs=0.02)  # a random code is the true one now and then


def test_a_negative_pkeep_draws_one_rate_a_batch() -> None:
    model = network(toy_clips(), replace(TINY, pkeep=-1.0))
    tokens = torch.full((100, 50), 3)
    rates = [(model.corrupted(tokens) == 3).float().mean(dim=1) for _ in range(8)]
    means = torch.stack([rate.mean() for rate in rates])
    assert means.std() > 0.1
    assert max(rate.std() for rate in rates) < 0.1


def test_a_third_of_the_sequences_lose_a_token_at_one_end() -> None:
    tokens = torch.arange(6).expand(3000, 6)
    after, lengths = shortened(tokens, torch.full((3000,), 6))
    head, tail = after[:, 0] == 1, (after[:, 0] == 0) & (lengths == 5)
    assert head.float().mean() == pytest.approx(1 / 6, abs=0.03)
    assert tail.float().mean() == pytest.approx(1 / 6, abs=0.03)
    assert torch.equal(after[head][:, :5], torch.arange(1, 6).expand(int(head.sum()), 5))
    assert bool((shortened(tokens, torch.ones(3000, dtype=torch.long))[1] == 1).all())


def test_targets_are_the_tokens_and_one_end() -> None:
    targets, valid = with_end(torch.tensor([[4, 5, 6], [4, 0, 0]]), torch.tensor([3, 1]), 9)
    assert targets.tolist() == [[4, 5, 6, 9], [4, 9, 9, 9]]
    assert valid.tolist() == [[True] * 4, [True, True, False, False]]


def test_loss_falls_and_the_tokenizer_takes_no_gradient() -> None:
    clips = toy_clips()
    torch.manual_seed(0)
    tokenizer = FakeTokenizer()
    model = T2MGPT(replace(TINY, width=32, dropout=0.0), toy_context(clips, {"vqvae": tokenizer})).train()
    model.fit(clips)
    batch = clips.batch(range(6))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    before = model.eval().losses(batch)["loss"].item()
    for _ in range(60):
        optimiser.zero_grad()
        model.train().losses(batch)["loss"].backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert model.eval().losses(batch)["loss"].item() < 0.7 * before
    assert tokenizer.scale.grad is None
    assert not tokenizer.training
    assert not any("tokenizer" in name or "scale" in name for name in model.state_dict())


def _always(model: T2MGPT, token: int) -> None:
    """Whatever the input, this token is by far the most likely."""
    nn.init.zeros_(model.norm.weight)
    nn.init.ones_(model.norm.bias)
    nn.init.zeros_(model.head.weight)
    nn.init.constant_(model.head.weight[token], 10.0)


def test_a_forced_length_never_ends_early() -> None:
    clips = toy_clips()
    model, batch = network(clips), clips.batch(range(6)).asked()
    _always(model, model.end)
    tokens, count = model.sample(batch, Draws(range(6)))
    assert int(tokens.max()) < model.end
    assert torch.equal(count, torch.full((6,), batch.padded // 4))


def test_a_predicted_length_of_nothing_gives_one_token_held_and_is_counted() -> None:
    clips = toy_clips()
    model, batch = network(clips, replace(TINY, length="predicted")), clips.batch(range(6)).asked()
    _always(model, model.end)
    motion = model.generate(batch, Draws(range(6)))
    assert model.ended_first == 6
    assert torch.equal(motion[:, 3:], motion[:, 3:4].expand(-1, batch.padded - 3, -1))
    _always(model, 5)
    assert model.generate(batch, Draws(range(6)))[0, 4, 0] == 5
    assert model.ended_first == 6


def test_a_predicted_length_ends_with_the_clip() -> None:
    clips = toy_clips(8, frames=[9, 24, 13, 8, 21, 16, 10, 12])
    model = network(clips, replace(TINY, length="predicted", sampling=Sampling(temperature=1.5)))
    together = model.generate(clips.batch(range(8)).asked(), Draws(range(8)))
    for i in range(8):
        frames = int(clips.frames[i])
        alone = model.generate(clips.batch([i]).asked(), Draws([i]))
        torch.testing.assert_close(alone[0, :frames], together[i, :frames], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("preset", ["embedded", "paper"])
def test_presets_do_one_step_on_plain_and_bfloat16_numbers(preset: str) -> None:
    recipe: Recipe = PRESETS["t2m_gpt"][preset]
    config = replace(recipe.config, blocks=min(2, recipe.config.blocks))  # the paper's depth takes too long here
    clips = toy_clips(3)
    model = T2MGPT(config, toy_context(clips, {"vqvae": FakeTokenizer()})).train()
    model.losses(clips.batch(range(3)))["loss"].backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in model.parameters())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.losses(clips.batch(range(3)))["loss"].dtype == torch.float32
        assert model.eval().generate(clips.batch([0]).asked(), Draws([0])).isfinite().all()


def test_the_embedded_preset_is_small() -> None:
    tokenizer = FakeTokenizer()
    tokenizer.codes = 256
    context = toy_context(toy_clips(2, text_width=384), {"vqvae": tokenizer})
    model = T2MGPT(PRESETS["t2m_gpt"]["embedded"].config, context)
    assert 0.5e6 < sum(parameter.numel() for parameter in model.parameters()) < 1.2e6


def test_weights_load_strictly_into_a_new_network() -> None:
    clips = toy_clips()
    model, other = network(clips), network(clips, seed=1)
    other.load_state_dict(model.state_dict(), strict=True)
    batch = clips.batch(range(6)).asked()
    assert torch.equal(model.generate(batch, Draws(range(6))), other.generate(batch, Draws(range(6))))


def test_every_network_names_its_deviations() -> None:
    assert DEVIATIONS.keys() == PRESETS.keys()
