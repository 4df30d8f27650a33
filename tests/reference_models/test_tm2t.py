"""TM2T: reading texts, teacher forcing, back-translation through a frozen captioner, sampling, lengths."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from reference_models.batch import Batch
from reference_models.data import Clips
from reference_models.parts.both_ways import BothWays
from reference_models.parts.captioner import Captioner
from reference_models.parts.draws import Draws
from reference_models.parts.sampling import Sampling
from reference_models.tm2t import DEVIATIONS, PRESETS, TM2T, Config
from tests.reference_models.fake_tokenizer import FakeTokenizer
from tests.reference_models.test_captioner import captioner
from tests.reference_models.toy import toy_clips, toy_context

TINY = Config(width=16, text=12, attention=8, forcing_steps=10)


def translator(clips: Clips, config: Config = TINY, seed: int = 0) -> TM2T:
    needs = {"tm2t_tokenizer": FakeTokenizer(), "tm2t_captioner": captioner(clips)}
    torch.manual_seed(seed)
    model = TM2T(config, toy_context(clips, needs))
    nn.init.normal_(model.table.weight)  # far apart, so that differences show
    return model.eval()


def reads(model: TM2T, tokens: Tensor) -> Callable[[int, Tensor], Tensor]:
    return lambda j, _: model.table(tokens[:, min(j, tokens.shape[1] - 1)])


def test_reading_both_ways_equals_a_packed_bidirectional_network() -> None:
    torch.manual_seed(0)
    ours, theirs = BothWays(5), nn.GRU(5, 5, batch_first=True, bidirectional=True)
    nn.init.normal_(ours.first)
    for name, value in ours.ahead.named_parameters():
        getattr(theirs, name).data.copy_(value)
    for name, value in ours.back.named_parameters():
        getattr(theirs, f"{name}_reverse").data.copy_(value)
    values, lengths = torch.randn(3, 7, 5), torch.tensor([7, 1, 4])
    packed = pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)
    expected, last = theirs(packed, ours.first.squeeze(2).expand(-1, 3, -1).contiguous())
    states, ends = ours(values, lengths)
    torch.testing.assert_close(states, pad_packed_sequence(expected, batch_first=True)[0])
    torch.testing.assert_close(ends, torch.cat([last[0], last[1]], dim=-1))


def test_flipping_moves_backward_states_to_other_words_and_nothing_else() -> None:
    clips = toy_clips()
    batch = clips.batch(range(6))
    plain, flipped = translator(clips), translator(clips, replace(TINY, compat_flip=True))
    lengths = batch.text_mask.sum(1)
    values = plain.text(batch.text)
    (straight, last), (crossed, same_last) = plain.reader(values, lengths), flipped.reader(values, lengths)
    torch.testing.assert_close(last, same_last)
    torch.testing.assert_close(straight[..., :12], crossed[..., :12])
    n = int(lengths[0])
    torch.testing.assert_close(straight[0, :n, 12:].flip(0), crossed[0, :n, 12:])


def test_attention_sees_padding_only_when_asked_to() -> None:
    clips = toy_clips()
    tokens = torch.randint(16, (6, 5))
    for unmasked in (False, True):
        model = translator(clips, replace(TINY, compat_unmasked_attention=unmasked))
        row = int(clips.token_lengths[:, :5].sum(1).argmin())
        together = model.decode(model.read(clips.batch(range(6))), 6, reads(model, tokens))[row]
        alone = model.decode(model.read(clips.batch([row])), 6, reads(model, tokens[row : row + 1]))[0]
        assert torch.allclose(together, alone, atol=1e-5) != unmasked


def test_no_logit_depends_on_a_later_token_and_each_on_the_one_before() -> None:
    clips = toy_clips()
    model, batch = translator(clips), clips.batch(range(6))
    tokens = torch.randint(16, (6, 6))
    changed = tokens.clone()
    changed[:, 3:] = (changed[:, 3:] + 5) % 16
    one, other = (model.decode(model.read(batch), 7, reads(model, given)) for given in (tokens, changed))
    assert one.shape == (6, 7, 17)
    torch.testing.assert_close(one[:, :4], other[:, :4])
    assert (one[:, 4:] - other[:, 4:]).abs().amax(dim=-1).min() > 1e-4


def test_the_table_of_tokens_read_also_predicts() -> None:
    clips = toy_clips()
    model, batch = translator(clips), clips.batch(range(6))
    before = model.decode(model.read(batch), 1, reads(model, torch.zeros(6, 1, dtype=torch.long)))
    model.table.weight.data[3] += 1
    after = model.decode(model.read(batch), 1, reads(model, torch.zeros(6, 1, dtype=torch.long)))
    assert ((before - after).abs().amax(dim=(0, 1)) > 1e-4).nonzero().flatten().tolist() == [3]


def test_padding_never_changes_a_motion_nor_the_likelihood() -> None:
    clips = toy_clips(8, frames=[9, 24, 13, 8, 21, 16, 10, 12])
    for length in ("forced", "predicted"):
        model = translator(clips, replace(TINY, length=length, back_translation=0.0))
        together = model.generate(clips.batch(range(8)).asked(), Draws(range(8)))
        assert together.shape == (8, 24, 56)
        for i in range(8):
            frames = int(clips.frames[i])
            alone = model.generate(clips.batch([i]).asked(), Draws([i]))
            torch.testing.assert_close(alone[0, :frames], together[i, :frames], atol=1e-4, rtol=1e-4)
    losses = torch.stack([model.losses(clips.batch([i]))["loss"] for i in range(8)])
    weight = (clips.frames + 3) // 4 + 1.0
    torch.testing.assert_close(model.losses(clips.batch(range(8)))["loss"], (losses * weight).sum() / weight.sum())


def test_same_seeds_same_motion_and_other_seeds_another() -> None:
    clips = toy_clips()
    model, batch = translator(clips), clips.batch(range(6)).asked()
    first, again, other = (model.generate(batch, Draws(range(s, s + 6))) for s in (0, 0, 100))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def _favour_the_end(model: TM2T, from_token: int) -> None:
    """Makes the end token the most likely from a token on, whatever was drawn."""
    plain = model.decode

    def decode(text: object, steps: int, follow: Callable[[int, Tensor], Tensor]) -> Tensor:
        def ending(j: int, logits: Tensor) -> Tensor:
            logits = logits.clone()
            logits[:, model.end] = 100.0 if j >= from_token else -100.0
            return follow(j, logits)

        return plain(text, steps, ending)  # type: ignore[arg-type]

    model.decode = decode  # type: ignore[method-assign]


@pytest.mark.parametrize("end", [0, 2])
def test_lengths_are_as_asked_or_until_the_end_token_is_the_most_likely(end: int) -> None:
    clips = toy_clips(frames=[24, 24, 24])
    for length in ("forced", "predicted"):
        model = translator(clips, replace(TINY, length=length))
        _favour_the_end(model, end)
        batch = clips.batch(range(3)).asked()
        tokens, count = model.sample(batch, Draws(range(3)))
        assert int(tokens.max()) < model.end
        assert count.tolist() == [6 if length == "forced" else end] * 3
        motion = model.generate(batch, Draws(range(3)))
        held = max(end, 1) * 4
        still = torch.equal(motion[:, held:], motion[:, held - 1 : held].expand(-1, 24 - held, -1))
        assert still == (length == "predicted")
        assert model.ended_first == (3 if length == "predicted" and end == 0 else 0)


def test_only_the_most_likely_codes_are_drawn() -> None:
    clips = toy_clips()
    batch = clips.batch(range(6)).asked()
    greedy = translator(clips, replace(TINY, sampling=Sampling(temperature=0))).sample(batch, Draws(range(6)))[0]
    first = translator(clips, replace(TINY, sampling=Sampling(top_k=1))).sample(batch, Draws(range(6)))[0]
    assert torch.equal(greedy, first)
    assert PRESETS["tm2t"]["paper"].config.sampling.top_k == 100


def test_the_gradient_of_back_translation_reaches_the_translator_and_not_the_captioner() -> None:
    clips = toy_clips()
    judge = captioner(clips).train().requires_grad_(True)
    tokenizer = FakeTokenizer()
    model = TM2T(TINY, toy_context(clips, {"tm2t_tokenizer": tokenizer, "tm2t_captioner": judge})).train()
    report = model.losses(clips.batch(range(6)))
    report["back"].backward()  # type: ignore[no-untyped-call]
    gradients = {name: value.grad for name, value in model.named_parameters()}
    assert all(value is not None and bool(value.abs().sum() > 0) for value in gradients.values()), gradients
    assert all(value.grad is None for part in (judge, tokenizer) for value in part.parameters())
    assert not judge.training
    assert report["loss"].item() == pytest.approx(report["tokens"].item() + report["back"].item(), rel=1e-5)
    assert not any(name.startswith(("_captioner", "_tokenizer", "words")) for name in model.state_dict())


def test_drawn_tokens_reach_the_captioner_as_single_codes_of_the_clip_only() -> None:
    clips = toy_clips()
    judge = captioner(clips)
    seen: list[Tensor] = []

    def record(motion: Tensor, batch: Batch) -> Tensor:
        seen.append(motion)
        return Captioner.caption_loss(judge, motion, batch)

    judge.caption_loss = record  # type: ignore[method-assign]
    model = TM2T(TINY, toy_context(clips, {"tm2t_tokenizer": FakeTokenizer(), "tm2t_captioner": judge}))
    model.losses(clips.batch(range(6)))
    torch.testing.assert_close(seen[0].max(-1).values, torch.ones(6, seen[0].shape[1]))
    torch.testing.assert_close(seen[0].sum(-1), torch.ones(6, seen[0].shape[1]))
    assert seen[0].shape == (6, int(clips.batch(range(6)).padded) // 4, 16)


def test_back_translation_without_a_captioner_is_refused_but_generation_is_not() -> None:
    clips = toy_clips()
    model = TM2T(TINY, toy_context(clips, {"tm2t_tokenizer": FakeTokenizer()})).eval()
    with pytest.raises(ValueError, match="tm2t_captioner"):
        model.losses(clips.batch([0]))
    assert model.generate(clips.batch([0]).asked(), Draws([0])).isfinite().all()


def test_teacher_forcing_falls_with_the_steps_of_training() -> None:
    clips = toy_clips()
    model = translator(clips, replace(TINY, forcing_steps=2000)).train()
    coins = torch.stack([model._forced() for _ in range(6000)]).float()
    assert coins[:500].mean() == pytest.approx(0.8, abs=0.06)
    assert coins[1000:2000].mean() == pytest.approx(0.3, abs=0.06)
    assert coins[2000:].mean() == pytest.approx(0.1, abs=0.03)
    assert int(model.state_dict()["step"]) == 6000  # a resumed training goes on from there
    assert bool(model.eval()._forced())
    assert int(model.step) == 6000


def test_loss_of_the_translator_falls() -> None:
    clips = toy_clips()
    model = translator(clips, replace(TINY, back_translation=0.2))
    batch = clips.batch(range(6))
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-2)
    before = model.losses(batch)["tokens"].item()
    for _ in range(25):
        optimiser.zero_grad()
        model.train().losses(batch)["loss"].backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert model.eval().losses(batch)["tokens"].item() < 0.7 * before


@pytest.mark.parametrize("preset", ["embedded", "paper"])
@pytest.mark.parametrize("name", ["tm2t_captioner", "tm2t"])
def test_presets_do_one_step_on_plain_and_bfloat16_numbers(name: str, preset: str) -> None:
    clips = toy_clips(3)
    needs: dict[str, nn.Module] = {"tm2t_tokenizer": FakeTokenizer(), "tm2t_captioner": captioner(clips)}
    kind = Captioner if name == "tm2t_captioner" else TM2T
    model = kind(PRESETS[name][preset].config, toy_context(clips, needs)).train()
    model.fit(clips)
    batch = clips.batch(range(3))
    model.losses(batch)["loss"].backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in model.parameters())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model.losses(batch)["loss"]
        assert loss.dtype == torch.float32
        assert bool(loss.isfinite())
        if isinstance(model, TM2T):
            assert model.eval().generate(batch.asked(), Draws(range(3))).isfinite().all()


@pytest.mark.parametrize(("name", "least", "most"), [("tm2t_captioner", 0.6e6, 0.9e6), ("tm2t", 0.4e6, 0.7e6)])
def test_embedded_presets_are_small(name: str, least: float, most: float) -> None:
    clips = toy_clips(2, text_width=384)
    needs = {"tm2t_tokenizer": FakeTokenizer()}
    needs["tm2t_tokenizer"].codes = 512
    kind = Captioner if name == "tm2t_captioner" else TM2T
    model = kind(PRESETS[name]["embedded"].config, toy_context(clips, needs))
    assert least < sum(parameter.numel() for parameter in model.parameters()) < most


def test_weights_load_strictly_into_a_new_network() -> None:
    clips = toy_clips()
    model, other = translator(clips), translator(clips, seed=5)
    other.load_state_dict(model.state_dict(), strict=True)
    batch = clips.batch(range(6)).asked()
    assert torch.equal(model.generate(batch, Draws(range(6))), other.generate(batch, Draws(range(6))))


def test_every_network_names_its_deviations() -> None:
    assert DEVIATIONS.keys() == PRESETS.keys()
