"""Words where only features of text tokens are known: each token is its nearest centroid of training tokens."""

import torch
from torch import Tensor, nn

from reference_models.batch import Batch, length_mask
from reference_models.data import Clips
from reference_models.parts.clusters import k_means, nearest_centre

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
        begun = features[torch.arange(len(self.centroids)) % len(features)]
        self.centroids.copy_(k_means(features, begun, _ROUNDS))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Words (B, W) of the chosen texts in order, and how many (B,) there are."""
        wanted = torch.isin(batch.text_field, torch.tensor(WORD_FIELDS, device=batch.text.device))  # (B, L)
        order = torch.argsort((~wanted).long(), dim=1, stable=True)[:, : self.longest]
        tokens = batch.text.gather(1, order[..., None].expand(-1, -1, batch.text.shape[-1]))
        with torch.no_grad(), torch.autocast(tokens.device.type, enabled=False):
            words = nearest_centre(tokens.float(), self.centroids)
        lengths = wanted.sum(1).clamp(max=words.shape[1])
        return words.masked_fill(~length_mask(lengths, words.shape[1]), 0), lengths
