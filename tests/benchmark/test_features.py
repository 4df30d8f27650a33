"""Frozen features: golden path, independence of batch-mates, the cache."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import _features_text
from benchmark.errors import InputError
from benchmark.features import FeatureCache, LogMel, TextEncoder, Wav2Vec2, audio_encoder, text_encoder


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    return text_encoder("minilm", cache=FeatureCache(tmp_path_factory.mktemp("features")))


def _speech(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(seconds * 16_000))).astype(np.float32)


def test_token_features_do_not_depend_on_batch_mates(minilm: TextEncoder) -> None:
    short, long = "A woman nods.", "She talks and smiles while her head turns slowly to the left. " * 6
    alone = TextEncoder.tokens(_uncached(minilm), [short])[0]
    together = _uncached(minilm).tokens([long, short, "x"])
    assert alone.dtype == np.float32
    assert alone.shape == (6, 384)
    np.testing.assert_allclose(together[1], alone, atol=1e-5)
    assert together[0].shape[0] > 60


def _uncached(encoder: TextEncoder) -> TextEncoder:
    return TextEncoder(
        encoder.name, encoder._folder, sha256=encoder.sha256, max_tokens=encoder.max_tokens, device="cpu", cache=None
    )


def test_texts_are_cut_at_256_tokens(minilm: TextEncoder) -> None:
    assert minilm.tokens(["nod " * 400])[0].shape == (256, 384)


def test_order_and_repeats_are_kept(minilm: TextEncoder) -> None:
    features = minilm.tokens(["one", "two words", "one"])
    assert [len(item) for item in features] == [3, 4, 3]
    np.testing.assert_array_equal(features[0], features[2])


def test_sentences_near_in_meaning_are_near(minilm: TextEncoder) -> None:
    a, b, c = minilm.sentences(["The man nods.", "A man nods his head.", "The stock market fell."])
    assert a @ b > 0.7 > 0.3 > a @ c
    assert np.linalg.norm(a) == pytest.approx(1, abs=1e-5)


def test_cached_features_are_read_without_the_model_and_damaged_ones_rebuilt(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    first = text_encoder("minilm", cache=cache).tokens(["He blinks."])[0]
    again = text_encoder("minilm", cache=cache)
    np.testing.assert_array_equal(again.tokens(["He blinks."])[0], first)
    assert "_model" not in vars(again)
    (entry,) = tmp_path.rglob("*.feature")
    data = bytearray(entry.read_bytes())
    data[-5] ^= 0xFF
    for damaged in (bytes(data), bytes(data[:50]), b""):
        entry.write_bytes(damaged)
        rebuilt = text_encoder("minilm", cache=cache)
        np.testing.assert_array_equal(rebuilt.tokens(["He blinks."])[0], first)
        assert "_model" in vars(rebuilt)
    assert not list(tmp_path.rglob("*.part"))


def test_other_weights_than_the_published_minilm_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_features_text, "MINILM_SHA256", "0" * 64)
    with pytest.raises(InputError, match="other weights"):
        text_encoder("minilm")


def test_a_folder_without_a_model_is_refused_with_all_problems(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        text_encoder(tmp_path)
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError, match="no such folder"):
        audio_encoder(tmp_path / "nothing")


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import DistilBertConfig

    DistilBertConfig(dim=8, hidden_dim=8, n_heads=2, n_layers=1, vocab_size=30).save_pretrained(tmp_path)
    save_file({"embeddings.word_embeddings.weight": torch.zeros(30, 8)}, tmp_path / "model.safetensors")
    encoder = text_encoder(tmp_path, cache=FeatureCache(tmp_path / "cache"))
    assert encoder.dim == 8
    assert encoder.max_tokens == 300
    with pytest.raises(InputError, match="weights are missing"):
        _ = encoder._model


def test_distilbert_from_a_folder_gives_its_last_hidden_state_cut_at_300_tokens(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, BertTokenizer, DistilBertConfig, DistilBertModel

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "she", "nods", "smiles"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    torch.manual_seed(0)
    DistilBertModel(DistilBertConfig(dim=8, hidden_dim=8, n_heads=2, n_layers=1, vocab_size=8)).save_pretrained(
        tmp_path
    )
    encoder = text_encoder(tmp_path, cache=FeatureCache(tmp_path / "cache"))
    long, short = encoder.tokens(["she nods " * 200, "she smiles"])
    assert long.shape == (300, 8)
    with torch.inference_mode():
        expected = AutoModel.from_pretrained(tmp_path).eval()(torch.tensor([[2, 5, 7, 3]])).last_hidden_state[0]
    np.testing.assert_allclose(short, expected.numpy(), atol=1e-5)


def test_wav2vec2_features_equal_the_golden_ones(shared: Path, tmp_path: Path) -> None:
    golden = np.load(shared / "golden" / "wav2vec2_tiny.npz")
    encoder = Wav2Vec2(shared / "golden" / "wav2vec2_tiny", "cpu", FeatureCache(tmp_path))
    features = encoder.encode(golden["audio"], int(golden["frames"]))
    np.testing.assert_allclose(features, golden["last_hidden_state"], rtol=1e-4, atol=1e-5)


def test_wav2vec2_frames_are_level_free_cached_and_damaged_entries_rebuilt(shared: Path, tmp_path: Path) -> None:
    encoder = Wav2Vec2(shared / "golden" / "wav2vec2_tiny", "cpu", FeatureCache(tmp_path))
    audio = _speech(2.0)
    first = encoder.frames(audio, 75)  # filled with silence up to 3 s
    assert first.shape == (75, encoder.dim)
    np.testing.assert_allclose(encoder.frames(np.float32(0.25) * audio, 75), first, atol=1e-4)
    for entry in tmp_path.rglob("*.feature"):
        entry.write_bytes(b"broken")
    np.testing.assert_array_equal(encoder.frames(audio, 75), first)


def test_logmel_frames_do_not_depend_on_level_nor_on_what_follows() -> None:
    encoder = LogMel()
    audio = _speech(2.0)
    full = encoder.frames(audio, 50)
    assert full.shape == (50, 160)
    np.testing.assert_allclose(encoder.frames(np.float32(0.5) * audio, 50), full, atol=1e-4)
    np.testing.assert_allclose(encoder.frames(audio, 30)[:29], full[:29], atol=1e-5)
    assert encoder.frames(np.zeros(0, dtype=np.float32), 3).shape == (3, 160)


def test_logmel_places_an_onset_in_its_frame_within_ten_milliseconds() -> None:
    audio = np.zeros(16_000, dtype=np.float32)
    onset = 10 * 640 + 2 * 160 + 80
    audio[onset:] = np.sin(2 * np.pi * 440 / 16_000 * np.arange(16_000 - onset))
    energy = LogMel().frames(audio, 25).reshape(100, 40).max(1)
    first_loud = int(np.argmax(energy > energy.max() - 3))
    assert abs(first_loud - 42) <= 1


def test_logmel_tells_low_from_high_tones() -> None:
    time = np.arange(16_000) / 16_000
    low, high = (
        LogMel().frames(np.sin(2 * np.pi * f * time).astype(np.float32), 25)[10, :40].argmax() for f in (200, 4000)
    )
    assert low < 5 < 25 < high
