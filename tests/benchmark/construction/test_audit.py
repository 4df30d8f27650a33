import numpy as np

from benchmark.construction.audit import audit
from benchmark.construction.config import Audit
from benchmark.construction.fingerprints import Fingerprint, fingerprint
from benchmark.protocol import FloatArray
from tests.benchmark.construction.tracks import motion

TEXT = "the head nods twice and then the left brow rises while lips part slowly at first as if to say something"
WORDS = TEXT.split()


def _sound(seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    tone = np.sin(np.cumsum(rng.uniform(0.02, 0.9, 20).repeat(1600)))
    return (tone * rng.random(20).repeat(1600) * 0.3).astype(np.float32)


def _track(seed: int) -> FloatArray:
    return motion(np.random.default_rng(seed), 90).astype(np.float32)


def _corpus(count: int = 40) -> tuple[dict[str, Fingerprint], dict[str, str]]:
    prints = {}
    for number in range(count):
        text = " ".join(np.random.default_rng(number).permutation(WORDS))
        prints[f"c{number:02d}"] = fingerprint(_track(number), _sound(number), text)
    split_of = {name: ("test", "val", "train", "train", "train")[k % 5] for k, name in enumerate(prints)}
    return prints, split_of


def test_unrelated_clips_raise_no_alarm() -> None:
    found = audit(*_corpus(), Audit())
    assert found.counts == {kind: {"exact": 0, "near": 0} for kind in ("motion", "text", "audio")}
    assert found.clips == {"test": 8, "val": 8, "train": 24}
    assert found.nearest["motion"]["extreme"] > 0.3


def test_exact_and_near_duplicates_across_splits_are_found_in_motion_text_and_sound() -> None:
    prints, split_of = _corpus()
    rng = np.random.default_rng(0)
    track = _track(2)  # the motion of c02, a training clip
    near = (track + rng.normal(size=track.shape) * 0.02 * track.std(axis=0)).astype(np.float32)
    louder = np.clip(_sound(3) * 0.5 + rng.normal(size=32_000) * 1e-4, -1, 1).astype(np.float32)
    text = " ".join(np.random.default_rng(4).permutation(WORDS))
    prints |= {
        "same": fingerprint(track, _sound(900), "words of its own entirely"),
        "near": fingerprint(near, _sound(901), text.upper()),
        "loud": fingerprint(_track(902), louder, "other words altogether here"),
    }
    split_of |= {"same": "test", "near": "test", "loud": "val"}
    pairs = {(p.kind, p.first, p.second): p for p in audit(prints, split_of, Audit()).pairs}
    assert pairs["motion", "same", "c02"].exact
    assert not pairs["motion", "near", "c02"].exact
    assert pairs["text", "near", "c04"].exact  # case and spacing do not count
    assert not pairs["audio", "loud", "c03"].exact
    assert len(pairs) == 4


def test_clips_alike_within_a_split_are_nobodys_business_and_pairs_come_once_held_out_first() -> None:
    prints, split_of = _corpus(10)
    prints["copy"] = prints["c02"]
    assert audit(prints, split_of | {"copy": "train"}, Audit()).counts["motion"] == {"exact": 0, "near": 0}
    found = audit(prints, split_of | {"copy": "test"}, Audit())
    assert {(p.kind, p.first, p.second, p.splits) for p in found.pairs} == {
        (kind, "copy", "c02", ("test", "train")) for kind in ("motion", "text", "audio")
    }
    assert "motion: 1 exact" in found.render()


def test_silence_is_like_nothing_and_kept_pairs_are_limited() -> None:
    prints, split_of = _corpus(20)
    silence = np.zeros(9000, np.float32)
    quiet = {name: fingerprint(_track(1), silence, "a b c d") for name in prints}
    found = audit(quiet, split_of, Audit(listed=3))
    assert found.counts["audio"] == {"exact": 0, "near": 0}
    assert found.counts["motion"]["exact"] == 4 * 12 + 4 * 12 + 4 * 4
    assert sum(pair.kind == "motion" for pair in found.pairs) == 3


def test_an_empty_corpus_has_no_duplicates() -> None:
    assert audit({}, {}, Audit()).pairs == ()
