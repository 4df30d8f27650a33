"""Speech features of a clip on their way into a model: normalised, given context in time, mapped to its width."""

import torch
from torch import Tensor, nn

from reference_models.batch import Batch
from reference_models.data import Clips

_FRAMES = 20_000
_LEAST_DEVIATION = 1e-3


class AudioPath(nn.Module):
    """Speech features (B, T, audio_width) to (B, T, width).

    With ``layers`` at 0 it is the linear map of the original talking heads, whose wav2vec 2.0 features already know
    their surroundings. Log-mel features know 40 ms: for them a few residual convolutions over time, each reaching
    twice as far as the one before, give the context. Padding never changes a valid frame.

    Args:
        audio_width: Width of the speech features.
        width: Width of the model.
        layers: Convolutions; three see 14 frames each way, four 30.
        dropout: Of each convolution's output, in training.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, audio_width: int, width: int, layers: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(audio_width))
        self.register_buffer("deviation", torch.ones(audio_width))
        self.map = nn.Linear(audio_width, width)
        self.context = nn.ModuleList(_Context(width, 2**layer, dropout) for layer in range(layers))

    def fit(self, clips: Clips) -> None:
        """Takes mean and deviation of each feature from training clips."""
        assert clips.audio is not None
        chosen = torch.linspace(0, len(clips.audio) - 1, min(_FRAMES, len(clips.audio))).long()
        audio = clips.audio[chosen.to(clips.audio.device)].float()
        self.mean.copy_(audio.mean(0))
        self.deviation.copy_(audio.std(0).clamp(min=_LEAST_DEVIATION))

    def forward(self, batch: Batch) -> Tensor:
        """(B, T, width) of a batch's speech, zero beyond each clip's end."""
        assert batch.audio is not None
        valid = batch.mask[..., None]
        values = self.map((batch.audio - self.mean) / self.deviation) * valid
        for layer in self.context:
            values = layer(values, valid)
        return values  # type: ignore[no-any-return]


class _Context(nn.Module):
    """A residual convolution of kernel 5 over time."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.convolution = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, valid: Tensor) -> Tensor:
        """(B, T, width) and (B, T, 1) bool to (B, T, width)."""
        known = self.norm(values) * valid  # what lies beyond the end looks like what lies before the start: zero
        found = self.convolution(known.transpose(1, 2)).transpose(1, 2)
        return (values + self.dropout(self.activation(found))) * valid  # type: ignore[no-any-return]
