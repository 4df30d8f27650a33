"""Embeddings as scoring asks for them, through evaluators loaded from a folder in the released layout."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.head import HeadModel, load_head
from benchmark.protocol import Texts
from evaluators.retrieval import EvaluatorSet, load_evaluators
from evaluators.retrieval.checkpoint import load_released

Array = NDArray[np.float32]
FACES = list(range(20, 32))


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMBENCH_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def head(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> HeadModel:
    masks = tmp_path_factory.mktemp("masks") / "masks.json"
    masks.write_text(json.dumps({"face": FACES, "lips": [1, 2, 3]}))
    return load_head(shared / "golden" / "flame_tiny.pkl", masks)


@pytest.fixture(scope="module")
def released(shared: Path, head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of released names around the golden checkpoints, with small frozen encoders of fitting widths."""
    from transformers import BertTokenizer, DistilBertConfig, DistilBertModel, Wav2Vec2Config, Wav2Vec2Model

    folder = tmp_path_factory.mktemp("released")
    shutil.copy(shared / "golden" / "tmr_text_tiny.pth", folder / "tmr_vae_70.pth")
    shutil.copy(shared / "golden" / "tmr_audio_tiny.pth", folder / "tmr_vae_180.pth")
    rng = np.random.default_rng(0)
    np.save(folder / "train_test_val_mesh_mean.npy", head.template.reshape(-1))
    np.save(folder / "train_test_val_mesh_std.npy", rng.uniform(0.001, 0.003, head.n_vertices * 3))
    text, audio = folder / "distilbert-base-uncased", folder / "wav2vec2-base-960h"
    text.mkdir()
    (text / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdef"]) + "\n")
    BertTokenizer(str(text / "vocab.txt")).save_pretrained(text)
    torch.manual_seed(0)
    DistilBertModel(DistilBertConfig(dim=24, hidden_dim=24, n_heads=2, n_layers=1, vocab_size=11)).save_pretrained(text)
    config = Wav2Vec2Config(
        hidden_size=20,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=24,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    Wav2Vec2Model(config).save_pretrained(audio)
    return folder


@pytest.fixture(scope="module")
def evaluators(released: Path, head: HeadModel) -> EvaluatorSet:
    return load_evaluators(released, head=head)


def _clip(head: HeadModel, frames: int, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    face = head.template[head.face_ids] + 0.003 * rng.standard_normal((frames, len(FACES), 3))
    return face.astype(np.float32), 0.1 * rng.standard_normal((frames, 3)).astype(np.float32)


def _audio(samples: int, seed: int) -> Array:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def test_a_folder_of_released_files_gives_both_evaluators(evaluators: EvaluatorSet) -> None:
    assert evaluators.trained_on == "user"
    assert evaluators.head_sha256 is None
    assert evaluators.n_face == 12
    assert evaluators.text.dim == 64
    assert len(evaluators.text.text_fields) == 5
    assert evaluators.audio is not None
    assert evaluators.audio.window == 75


def test_motion_embeddings_are_the_networks_own_on_normalised_vertices(
    evaluators: EvaluatorSet, released: Path, head: HeadModel
) -> None:
    face, neck = _clip(head, 23, 1)
    whole = {name: np.load(released / f"train_test_val_mesh_{name}.npy").reshape(-1, 3) for name in ("mean", "std")}
    motion = torch.tensor((face - whole["mean"][FACES]) / whole["std"][FACES], dtype=torch.float32).reshape(1, 23, 36)
    network = load_released(released / "tmr_vae_70.pth")
    expected, _ = network.motion_encoder(motion, torch.ones(1, 23, dtype=torch.bool), torch.from_numpy(neck)[None])
    np.testing.assert_allclose(evaluators.text.embed_motions([(face, neck)]), expected.numpy(), rtol=1e-3, atol=1e-4)


def test_embeddings_do_not_depend_on_batch_mates_and_inputs_stay_as_they_were(
    evaluators: EvaluatorSet, head: HeadModel
) -> None:
    clips = [_clip(head, frames, frames) for frames in (40, 200, 7, 90)]
    speech = [(_audio(frames * 640, frames), frames) for frames in (40, 200, 7, 90)]
    before = [array.copy() for clip in clips for array in clip] + [audio.copy() for audio, _ in speech]
    assert evaluators.audio is not None
    together = evaluators.text.embed_motions(clips)
    alone = np.concatenate([evaluators.text.embed_motions([clip]) for clip in clips])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    for as_released in (False, True):
        faces = [face for face, _ in clips]
        mates = evaluators.audio.embed_motions(faces, as_released=as_released)
        alone = np.concatenate([evaluators.audio.embed_motions([face], as_released=as_released) for face in faces])
        np.testing.assert_allclose(mates, alone, atol=1e-5)
        mates = evaluators.audio.embed_audio(speech, as_released=as_released)
        alone = np.concatenate([evaluators.audio.embed_audio([clip], as_released=as_released) for clip in speech])
        np.testing.assert_allclose(mates, alone, atol=1e-5)
    after = [array for clip in clips for array in clip] + [audio for audio, _ in speech]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_as_released_short_clips_end_in_the_neutral_face_and_silence(evaluators: EvaluatorSet, head: HeadModel) -> None:
    """The released script sets the mask of the first 75 frames in place, so that padding counts as motion."""
    assert evaluators.audio is not None
    face, _ = _clip(head, 40, 3)
    neutral = np.broadcast_to(head.template[head.face_ids], (35, 12, 3))
    filled = np.concatenate([face, neutral]).astype(np.float32)
    as_released = evaluators.audio.embed_motions([face], as_released=True)
    np.testing.assert_allclose(as_released, evaluators.audio.embed_motions([filled]), atol=1e-5)
    assert np.abs(as_released - evaluators.audio.embed_motions([face])).max() > 1e-2
    audio = _audio(40 * 640, 3)
    as_released = evaluators.audio.embed_audio([(audio, 40)], as_released=True)
    np.testing.assert_allclose(as_released, evaluators.audio.embed_audio([(audio, 75)]), atol=1e-5)


def test_long_clips_are_cut_to_the_window_of_three_seconds(evaluators: EvaluatorSet, head: HeadModel) -> None:
    assert evaluators.audio is not None
    face, _ = _clip(head, 120, 4)
    changed = face.copy()
    changed[75:] += 0.01
    for as_released in (False, True):
        one, other = evaluators.audio.embed_motions([face, changed], as_released=as_released)
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_texts_are_read_in_the_chosen_fields(released: Path, head: HeadModel, tmp_path: Path) -> None:
    folder = tmp_path / "emotion_only"
    shutil.copytree(released, folder)
    (folder / "tmr_vae_180.pth").unlink()
    (folder / "evaluators.toml").write_text('text_fields = ["emotion"]\n')
    evaluators = load_evaluators(folder, head=head)
    assert evaluators.audio is None
    base = Texts("a", "b c", "d", "e", "f")
    other = Texts("f f f", "b c", "a", "a", "a")
    changed = Texts("a", "c b", "d", "e", "f")
    one, same, different = evaluators.text.embed_texts([base, other, changed])
    np.testing.assert_allclose(one, same, atol=1e-5)
    assert np.abs(one - different).max() > 1e-4


def test_another_face_region_is_refused(evaluators: EvaluatorSet, shared: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="do not fit the evaluator"):
        evaluators.text.embed_motions([(np.zeros((4, 11, 3), np.float32), np.zeros((4, 3), np.float32))])
    masks = tmp_path / "masks.json"
    masks.write_text(json.dumps({"face": FACES[:-1], "lips": [1]}))
    other = load_head(shared / "golden" / "flame_tiny.pkl", masks)
    with pytest.raises(InputError, match="another face region"):
        evaluators.check_head(other)


def test_faulty_folders_are_refused_with_all_problems(released: Path, head: HeadModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such evaluators"):
        load_evaluators("mini/talkin@0")
    with pytest.raises(InputError) as caught:
        load_evaluators(tmp_path)
    assert len(caught.value.problems) == 5
    folder = tmp_path / "faulty"
    shutil.copytree(released, folder)
    (folder / "evaluators.toml").write_text('text_field = ["emotion"]\nmean = 3\n')
    with pytest.raises(InputError) as caught:
        load_evaluators(folder, head=head)
    assert len(caught.value.problems) == 2
    (folder / "evaluators.toml").unlink()
    np.save(folder / "train_test_val_mesh_mean.npy", np.zeros(15069))
    with pytest.raises(InputError, match="statistics are of another head"):
        load_evaluators(folder, head=head)
    shutil.copy(folder / "tmr_vae_180.pth", folder / "tmr_vae_70.pth")
    with pytest.raises(InputError, match="features of width 20"):
        load_evaluators(folder, head=head)
