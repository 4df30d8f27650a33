"""TM2T's captioner: words from token features, order of time, padding."""

import torch
from torch.nn.functional import one_hot

from reference_models.data import Clips
from reference_models.parts.captioner import Captioner, CaptionerConfig
from reference_models.parts.clusters import k_means, nearest_centre
from reference_models.parts.words import WORD_FIELDS, Words
from tests.reference_models.fake_tokenizer import FakeTokenizer
from tests.reference_models.toy import toy_clips, toy_context

TINY_CAPTIONER = CaptionerConfig(width=16, layers=2, heads=2, hidden=32, words=8, longest=8)


def captioner(clips: Clips, config: CaptionerConfig = TINY_CAPTIONER) -> Captioner:
    torch.manual_seed(1)
    model = Captioner(config, toy_context(clips, {"tm2t_tokenizer": FakeTokenizer()}))
    model.fit(clips)
    return model.eval()


def test_loss_of_the_captioner_falls_and_it_hears_the_motion() -> None:
    clips = toy_clips()
    model, batch = captioner(clips).train(), toy_clips().batch(range(6))
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-2)
    before = model.losses(batch)["loss"].item()
    for _ in range(40):
        optimiser.zero_grad()
        model.losses(batch)["loss"].backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    after = model.eval().losses(batch)["loss"].item()
    assert after < 0.5 * before
    other = one_hot(torch.randint(16, (6, batch.padded // 4)), 16).float()
    assert model.caption_loss(other, batch).item() > after


def test_no_word_depends_on_a_later_word_nor_on_tokens_beyond_the_motion() -> None:
    clips = toy_clips()
    model = captioner(clips)
    motion = one_hot(torch.randint(16, (2, 6)), 16).float()
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    words = torch.randint(8, (2, 5))
    one = model(motion, mask, words)
    assert one.shape == (2, 5, 9)
    later, beyond = words.clone(), motion.clone()
    later[:, 3:] = (later[:, 3:] + 1) % 8
    beyond[1, 4:] = 5.0
    torch.testing.assert_close(model(motion, mask, later)[:, :3], one[:, :3])
    torch.testing.assert_close(model(beyond, mask, words), one)


def test_words_are_the_chosen_texts_in_order_and_cut() -> None:
    clips = toy_clips()
    words = Words(8, clips.text_width, longest=9)
    words.fit(clips)
    batch = clips.batch(range(6))
    found, lengths = words(batch)
    for i in range(6):
        kept = [j for j, kind in enumerate(batch.text_field[i].tolist()) if kind in WORD_FIELDS][:9]
        distances = torch.cdist(batch.text[i, kept], words.centroids)
        assert int(lengths[i]) == len(kept)
        assert found[i, : len(kept)].tolist() == distances.argmin(1).tolist()


def test_the_same_clips_give_the_same_words_whatever_was_drawn_before() -> None:
    tables = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        words = Words(8, 16, longest=9)
        words.fit(toy_clips())
        assert torch.equal(state, torch.get_rng_state())
        tables.append(words.centroids)
    assert torch.equal(*tables)


def test_centroids_find_separate_groups() -> None:
    torch.manual_seed(0)
    middles = torch.randn(4, 6) * 10
    features = (middles[:, None] + 0.1 * torch.randn(4, 50, 6)).transpose(0, 1).flatten(0, 1)  # groups take turns
    table = k_means(features, features[torch.arange(4) % len(features)], 15)
    assert float(torch.cdist(table, middles).min(1).values.max()) < 0.2
    assert torch.equal(nearest_centre(middles, table), torch.cdist(middles, table).argmin(1))
