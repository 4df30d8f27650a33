"""Words where only features of text tokens are known: each token is its nearest centroid of training tokens."""

import torch
from torch import Tensor, nn

from reference_models.batch import Batch, length_mask
from reference_models.data import Clips

WORD_FIELDS = (0, 2, 3)
"""Texts that say what moves: abstract action, facial movements, head movements."""
_SAMPLED_PER_WORD = 32
_ROUNDS = 15


class Words(nn.Module):
    """A vocabulary, and texts as sequences of its words.

    Args:
        count: Words in it.
        text_width: Width of a token's features.
        longest: Words of a clip that are kept.
    """

    centroids: Tensor

    def __init__(self, count: int, text_width: int, longest: int) -> None:
        super().__init__()
        self.longest = longest
        self.register_buffer("centroids", torch.zeros(count, text_width))

    def fit(self, clips: Clips) -> None:
        """Takes the vocabulary from the training clips' texts; the same clips give the same one."""
        lengths = clips.token_lengths.cpu()
        kind = torch.arange(lengths.shape[1]).repeat(len(lengths)).repeat_interleave(lengths.flatten())
        places = torch.isin(kind, torch.tensor(WORD_FIELDS)).nonzero().squeeze(1)
        generator = torch.Generator().manual_seed(0)
        wanted = len(self.centroids) * _SAMPLED_PER_WORD
        chosen = places[torch.randperm(len(places), generator=generator)[:wanted]]
        features = clips.tokens[chosen.to(clips.tokens.device)].float().cpu()
        self.centroids.copy_(centroids(features, len(self.centroids)))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Words (B, W) of the chosen texts in order, and how many (B,) there are."""
        wanted = torch.isin(batch.text_field, torch.tensor(WORD_FIELDS, device=batch.text.device))  # (B, L)
        order = torch.argsort((~wanted).long(), dim=1, stable=True)[:, : self.longest]
        tokens = batch.text.gather(1, order[..., None].expand(-1, -1, batch.text.shape[-1]))
        words = nearest(tokens.flatten(0, 1), self.centroids).view_as(order)
        lengths = wanted.sum(1).clamp(max=words.shape[1])
        return words.masked_fill(~length_mask(lengths, words.shape[1]), 0), lengths


@torch.no_grad()
def nearest(features: Tensor, table: Tensor) -> Tensor:
    """(N,) int64: row of the table (K, d) nearest to each row of the features (N, d)."""
    with torch.autocast(features.device.type, enabled=False):
        return torch.addmm(table.square().sum(1), features.float(), table.T, beta=-0.5).argmax(1)


def centroids(features: Tensor, count: int) -> Tensor:
    """(count, d): centroids of features (N, d) in random order by k-means, begun at the first of them.

    A centroid that nothing is near to stays where it is.

    Source:
        Lloyd 1982, "Least squares quantization in PCM".
    """
    table = features[torch.arange(count) % len(features)].clone()
    for _ in range(_ROUNDS):
        row = nearest(features, table)
        sums = torch.zeros_like(table).index_add_(0, row, features)
        sizes = torch.bincount(row, minlength=count)[:, None]
        table = torch.where(sizes > 0, sums / sizes.clamp(min=1), table)
    return table
