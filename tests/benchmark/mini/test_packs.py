"""Packs of held-out clips: motion, texts and phonemes come back exactly, audio in length and nearly in sound."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchmark.errors import InputError
from benchmark.mini import packs
from benchmark.mini.clip import make
from benchmark.mini.clips import clips
from benchmark.mini.files import Content
from benchmark.mini.shard import content_of
from benchmark.protocol import TEXT_FIELDS


@pytest.fixture(scope="module")
def contents() -> dict[str, Content]:
    made = {clip.name: content_of(make(clip)) for clip in clips()[:12]}
    long = np.zeros((200, 56), np.int32)
    long[::2, ::3] = 16_000  # as far as a change from frame to frame may go
    made["odd"] = Content(long, dict.fromkeys(TEXT_FIELDS, 'Quotes ", tabs\t and é.'), None, None)
    return made


def test_what_is_packed_comes_back(contents: dict[str, Content], tmp_path: Path) -> None:
    packs.write_packs(tmp_path, "test", contents)
    found = dict(packs.read_packs(tmp_path, "test"))
    assert list(found) == list(contents)
    for name, wanted in contents.items():
        np.testing.assert_array_equal(found[name].steps, wanted.steps)
        assert found[name].texts == wanted.texts
        assert found[name].phonemes == wanted.phonemes
        if wanted.audio is None:
            assert found[name].audio is None
            continue
        heard, said = found[name].audio, wanted.audio.astype(np.float64)
        assert heard is not None and heard.dtype == np.int16
        assert len(heard) == len(wanted.steps) * 640
        assert np.mean((heard - said) ** 2) < 0.1 * np.mean(said**2), "10 dB of signal to noise"


def test_motion_is_packed_into_less_than_forty_bytes_a_frame(contents: dict[str, Content]) -> None:
    motions = [content.steps for name, content in contents.items() if name != "odd"]
    data = packs.encode_motion(motions)
    assert len(data) < 40 * sum(map(len, motions))
    for back, steps in zip(packs.decode_motion(data, [len(m) for m in motions]), motions, strict=True):
        np.testing.assert_array_equal(back, steps)


def test_motion_of_other_lengths_is_refused(contents: dict[str, Content]) -> None:
    data = packs.encode_motion([contents["odd"].steps])
    for frames in ([199], [201], [200, 1]):
        with pytest.raises(ValueError, match="bytes of motion"):
            packs.decode_motion(data, frames)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("fault", ["missing", "cut", "changed"])
def test_a_damaged_pack_is_bad_input(which: int, fault: str, contents: dict[str, Content], tmp_path: Path) -> None:
    packs.write_packs(tmp_path, "val", contents)
    path = tmp_path / packs.pack_names("val")[which]
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        middle = archive.infolist()[-1].header_offset + 200
    data[middle] ^= 255
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(data if fault == "changed" else data[: len(data) // 2])
    with pytest.raises(InputError, match=path.name):
        list(packs.read_packs(tmp_path, "val"))
