"""Speech features on their way into a model."""

import torch

from reference_models.parts.audio_path import AudioPath
from tests.reference_models.toy import toy_clips


def test_padding_does_not_change_valid_frames() -> None:
    clips = toy_clips(frames=[9, 24, 17])
    path = AudioPath(12, 8, layers=3, dropout=0.5).eval()
    path.fit(clips)
    together = path(clips.batch([0, 1, 2]))
    for row, frames in enumerate((9, 24, 17)):
        torch.testing.assert_close(together[row, :frames], path(clips.batch([row]))[0, :frames], atol=1e-5, rtol=0)
        assert (together[row, frames:] == 0).all()


def test_without_layers_it_is_a_linear_map_of_normalised_features() -> None:
    clips = toy_clips(frames=[16])
    path = AudioPath(12, 8)
    path.fit(clips)
    batch = clips.batch([0])
    assert batch.audio is not None
    normalised = (batch.audio - batch.audio.mean(1)) / batch.audio.std(1)
    torch.testing.assert_close(path(batch), path.map(normalised), atol=1e-5, rtol=0)


def test_three_layers_hear_fourteen_frames_each_way() -> None:
    clips = toy_clips(frames=[40])
    path, batch = AudioPath(12, 8, layers=3).eval(), clips.batch([0])
    assert batch.audio is not None
    batch.audio.requires_grad_()
    (path(batch)[0, 20] ** 2).sum().backward()
    assert batch.audio.grad is not None
    heard = batch.audio.grad[0].abs().sum(1).nonzero().flatten().tolist()
    assert heard[0] == 6 and heard[-1] == 34
