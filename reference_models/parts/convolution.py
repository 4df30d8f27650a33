"""Convolutions over time that padding cannot reach: each layer's input is zero beyond a clip's end."""

from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from reference_models.batch import length_mask


def masked(values: Tensor, lengths: Tensor) -> Tensor:
    """Values (B, C, T) with zeros beyond each row's length (B,)."""
    return values * length_mask(lengths, values.shape[-1])[:, None].to(values.dtype)


class ResidualBlock(nn.Module):
    """ReLU, dilated convolution over three frames, ReLU, convolution of one frame, added to the input.

    Source:
        Zhang et al. 2023 (T2M-GPT), figure 2.
    """

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.wide = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.narrow = nn.Conv1d(width, width, 1)

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """(B, width, T) to (B, width, T)."""
        return masked(values + self.narrow(relu(self.wide(relu(values)))), lengths)


class Encoder(nn.Module):
    """Motion to latents at a quarter of the rate: two strided convolutions, each followed by residual blocks.

    Args:
        features: Numbers a frame.
        width: Channels between.
        latent: Numbers a latent.
        depth: Residual blocks a stage, their dilations powers of three, widest first.
    """

    def __init__(self, features: int, width: int, latent: int, depth: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(features, width, 3, padding=1)
        self.halve = nn.ModuleList(nn.Conv1d(width, width, 4, stride=2, padding=1) for _ in range(2))
        self.blocks = nn.ModuleList(_stage(width, depth) for _ in range(2))
        self.last = nn.Conv1d(width, latent, 3, padding=1)

    def forward(self, motion: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, features) of lengths (B,), multiples of four, to (B, T / 4, latent)."""
        values = masked(relu(self.first(masked(motion.transpose(1, 2), lengths))), lengths)
        for halve, blocks in zip(self.halve, self.blocks, strict=True):
            lengths = lengths // 2
            values = masked(halve(values), lengths)
            for block in blocks:  # type: ignore[attr-defined]
                values = block(values, lengths)
        return self.last(values).transpose(1, 2)  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Latents to motion at four times their rate: residual blocks and nearest-neighbour doubling, twice.

    Args:
        features: Numbers a frame.
        width: Channels between.
        latent: Numbers a latent.
        depth: Residual blocks a stage.
    """

    def __init__(self, features: int, width: int, latent: int, depth: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(latent, width, 3, padding=1)
        self.blocks = nn.ModuleList(_stage(width, depth) for _ in range(2))
        self.smooth = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(3))
        self.last = nn.Conv1d(width, features, 3, padding=1)

    def forward(self, latents: Tensor, lengths: Tensor) -> Tensor:
        """(B, J, latent) of lengths (B,) to (B, 4 J, features)."""
        values = masked(relu(self.first(masked(latents.transpose(1, 2), lengths))), lengths)
        for blocks, smooth in zip(self.blocks, self.smooth, strict=False):
            for block in blocks:  # type: ignore[attr-defined]
                values = block(values, lengths)
            lengths = lengths * 2
            values = masked(smooth(interpolate(values, scale_factor=2, mode="nearest")), lengths)
        values = masked(relu(self.smooth[-1](values)), lengths)
        return self.last(values).transpose(1, 2)  # type: ignore[no-any-return]


def _stage(width: int, depth: int) -> nn.ModuleList:
    return nn.ModuleList(ResidualBlock(width, 3**power) for power in reversed(range(depth)))
