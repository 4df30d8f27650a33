"""Decoder layers that are fed their own output frame by frame, trained through the whole loop.

The loop runs twice without a graph: forwards with cached keys and values, and backwards for what reaches each token.
In between, one parallel pass over the tokens that were found carries the graph of all weights.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear

from reference_models.parts.periodic import causal_bias
from reference_models.parts.through_time import Kept, LayerTrace, Loop, Normalised, Weights, through_time

_EPSILON = 1e-5


class FeedbackDecoder(nn.Module):
    """Post-norm decoder layers; a token is a constant plus a linear map of the output a frame earlier.

    Each frame attends to itself and to those before it, and to the memory of its own frame only.

    Args:
        width: Width of tokens, memory and output.
        heads: Attention heads.
        layers: Decoder layers.
        hidden: Width within the feed-forward maps.
        dropout: In training: of tokens, attention weights and every sub-layer's output.
    """

    def __init__(self, width: int, heads: int, layers: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.hidden, self.dropout = heads, hidden, dropout
        self.layers = nn.ModuleList(DecoderLayer(width, heads, hidden, dropout) for _ in range(layers))

    def forward(self, constants: Tensor, memory: Tensor, lags: Tensor, feedback: Tensor | None = None) -> Tensor:
        """Runs the loop: token 0 is the first constant, token t is output t - 1 times ``feedback`` plus constant t.

        Args:
            constants: (B, T, width).
            memory: (B, T, width): what a frame sees besides the tokens.
            lags: (heads, T): attention bias by the number of frames looked back.
            feedback: (width, width); None for the output itself.

        Returns:
            (B, T, width), with the exact gradient of the loop.
        """
        with torch.autocast(memory.device.type, enabled=False):
            steps = constants.float().transpose(0, 1)  # (T, B, width)
            heard = self._heard(memory)
            kept_tokens, kept = self._draw(steps)
            hidden = self._cached(steps, heard, lags, feedback, kept_tokens, kept)
            if not torch.is_grad_enabled():
                return hidden.transpose(0, 1)
            earlier = hidden[:-1] if feedback is None else hidden[:-1] @ feedback
            tokens = _scaled(torch.cat([steps[:1], steps[1:] + earlier]), kept_tokens)
            outputs, traces = self._parallel(tokens, heard, lags, kept)
            loop = Loop(traces, None if feedback is None else feedback.detach(), kept_tokens)
            return through_time(outputs, loop).transpose(0, 1)

    def given(self, tokens: Tensor, memory: Tensor, lags: Tensor) -> Tensor:
        """One pass over tokens (B, T, width) that are known: teacher forcing, or a prefix computed anew."""
        with torch.autocast(memory.device.type, enabled=False):
            steps = tokens.float().transpose(0, 1)
            kept_tokens, kept = self._draw(steps)
            return self._parallel(_scaled(steps, kept_tokens), self._heard(memory), lags, kept)[0].transpose(0, 1)

    def _heard(self, memory: Tensor) -> list[Tensor]:
        steps = memory.float().transpose(0, 1)
        return [layer.heard(steps) for layer in self._layers()]

    def _draw(self, steps: Tensor) -> tuple[Tensor | None, list[Kept | None]]:
        if not self.training or self.dropout == 0:
            return None, [None] * len(self.layers)
        frames, clips, width = steps.shape

        def draw(*shape: int) -> Tensor:
            kept = torch.rand(shape, device=steps.device) >= self.dropout  # faster than bernoulli_ on CPUs
            return kept.float().div_(1 - self.dropout)

        def layer() -> Kept:
            rows = (frames, clips)
            attention = draw(clips * self.heads, frames, frames)
            return Kept(attention, draw(*rows, width), draw(*rows, self.hidden), draw(*rows, width))

        return draw(frames, clips, width), [layer() for _ in self.layers]

    def _parallel(
        self, tokens: Tensor, heard: list[Tensor], lags: Tensor, kept: list[Kept | None]
    ) -> tuple[Tensor, list[LayerTrace]]:
        bias, traces = causal_bias(lags), []
        for layer, sound, mask in zip(self._layers(), heard, kept, strict=True):
            tokens, trace = layer.parallel(tokens, sound, bias, mask)
            traces.append(trace)
        return tokens, traces

    def _cached(
        self,
        steps: Tensor,
        heard: list[Tensor],
        lags: Tensor,
        feedback: Tensor | None,
        kept_tokens: Tensor | None,
        kept: list[Kept | None],
    ) -> Tensor:
        """(T, B, width) outputs of the loop, frame by frame."""
        with torch.inference_mode():  # spares some of what each small operation costs
            layers = [
                _Cached(layer.weights(), sound, lags, mask)
                for layer, sound, mask in zip(self._layers(), heard, kept, strict=True)
            ]
            constants, outputs = steps.unbind(0), []
            token = constants[0]
            for frame, constant in enumerate(constants):
                if frame:
                    token = token + constant if feedback is None else torch.addmm(constant, token, feedback)
                if kept_tokens is not None:
                    token = token * kept_tokens[frame]
                for layer in layers:
                    token = layer.step(token, frame)
                outputs.append(token)
        with torch.no_grad():
            return torch.stack(outputs)

    def _layers(self) -> list["DecoderLayer"]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to one memory frame, feed-forward map; normalised after each sum.

    Attention to a single frame always has the weight one, so only its values and its output map are left.

    Args:
        width: Width of tokens, memory and output.
        heads: Attention heads.
        hidden: Width within the feed-forward map.
        dropout: Of the memory's values, head by head, and of what the memory adds; the rest is given as ``Kept``.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.mix = nn.Linear(width, 3 * width)  # queries, keys, values
        self.out = nn.Linear(width, width)
        self.memory_value, self.memory_out = nn.Linear(width, width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        nn.init.xavier_uniform_(self.mix.weight)
        for layer in (self.mix, self.out, self.memory_value, self.memory_out):
            nn.init.zeros_(layer.bias)

    def heard(self, memory: Tensor) -> Tensor:
        """(T, B, width) of the memory (T, B, width): what attention to its own frame adds to each frame."""
        value = self.memory_value(memory).view(*memory.shape[:2], self.heads, -1)
        value = value * dropout(value.new_ones(value.shape[:3]), self.dropout, self.training)[..., None]
        return dropout(self.memory_out(value.flatten(2)), self.dropout, self.training)

    def weights(self) -> Weights:
        """What leads from tokens to the output, looked up once for all frames."""
        return Weights(
            mix=self.mix.weight,
            mix_bias=self.mix.bias,
            out=self.out.weight,
            out_bias=self.out.bias,
            up=self.up.weight,
            up_bias=self.up.bias,
            down=self.down.weight,
            down_bias=self.down.bias,
            norms=[(norm.weight, norm.bias) for norm in self.norms if isinstance(norm, nn.LayerNorm)],
        )

    def parallel(self, tokens: Tensor, heard: Tensor, bias: Tensor, kept: Kept | None) -> tuple[Tensor, LayerTrace]:
        """All frames (T, B, width) at once, with what backpropagation through time needs to know."""
        weights = self.weights()
        frames, clips, _ = tokens.shape
        mixed = linear(tokens, weights.mix, weights.mix_bias).view(frames, clips, 3, self.heads, -1)
        query, key, value = mixed.permute(2, 1, 3, 0, 4).reshape(3, clips * self.heads, frames, -1)
        query = query * query.shape[-1] ** -0.5
        scores = torch.bmm(query, key.transpose(1, 2)).view(clips, self.heads, frames, frames) + bias
        attention = scores.softmax(-1).flatten(0, 1)  # (B * heads, T, T)
        seen = torch.bmm(_scaled(attention, kept and kept.attention), value)
        sums: list[Normalised] = []
        hidden, active = _after(weights, tokens, _frames_first(seen, clips), heard, kept, sums)
        query, key, value, attention, active = (part.detach() for part in (query, key, value, attention, active))
        return hidden, LayerTrace(weights, query, key, value, attention, sums, active, kept)


class _Cached:
    """A layer with the keys and values of the frames so far."""

    def __init__(self, weights: Weights, heard: Tensor, lags: Tensor, kept: Kept | None) -> None:
        frames, clips, width = heard.shape
        self.weights, self.kept, self.heard = weights, kept, heard.unbind(0)
        self.mix = weights.mix.view(3, width, width).transpose(1, 2)
        self.mix_bias = weights.mix_bias.view(3, 1, width)
        self.bias = lags.flip(1).repeat(clips, 1)[:, None]  # (B * heads, 1, T), the frame itself last
        size = width // len(lags)
        cache = heard.new_empty(3, clips * len(lags), frames, size)
        self.entries, self.queries = cache.unbind(2), cache[0].unsqueeze(2).unbind(1)
        self.key, self.value = cache[1].transpose(1, 2), cache[2]
        self.scale, self.shape, self.parts = 1 / math.sqrt(size), (clips, width), (3, clips * len(lags), size)

    def step(self, token: Tensor, frame: int) -> Tensor:
        """The output (B, width) of the next frame's token (B, width)."""
        count, kept = frame + 1, self.kept and self.kept.at(frame)
        mixed = torch.baddbmm(self.mix_bias, token.expand(3, *self.shape), self.mix)
        self.entries[frame].copy_(mixed.view(self.parts))
        recent = self.bias.narrow(2, len(self.heard) - count, count)
        scores = torch.baddbmm(recent, self.queries[frame], self.key.narrow(2, 0, count), alpha=self.scale)
        attention = _scaled(scores.softmax(-1), kept and kept.attention)
        seen = torch.bmm(attention, self.value.narrow(1, 0, count)).view(self.shape)
        return _after(self.weights, token, seen, self.heard[frame], kept)[0]


def _after(
    weights: Weights,
    tokens: Tensor,
    seen: Tensor,
    heard: Tensor,
    kept: Kept | None,
    sums: list[Normalised] | None = None,
) -> tuple[Tensor, Tensor]:
    """What follows self-attention, of one frame (B, width) or of all (T, B, width): output and active hidden units.

    Args:
        sums: Filled with what is normalised, where one is given.
    """

    def normalised(values: Tensor, index: int) -> Tensor:
        scale, shift = weights.norms[index]
        if sums is None:
            return torch.layer_norm(values, scale.shape, scale, shift, _EPSILON)
        result, mean, deviation = torch.native_layer_norm(values, scale.shape, scale, shift, _EPSILON)
        sums.append(Normalised(values.detach(), mean.detach(), deviation.detach()))
        return result

    found = linear(seen, weights.out, weights.out_bias)
    tokens = normalised(tokens + (found if kept is None else found * kept.seen), 0)
    tokens = normalised(tokens + heard, 1)
    active = torch.relu(linear(tokens, weights.up, weights.up_bias))
    found = linear(active if kept is None else active * kept.hidden, weights.down, weights.down_bias)
    return normalised(tokens + (found if kept is None else found * kept.out), 2), active


def _frames_first(values: Tensor, clips: int) -> Tensor:
    """(B * heads, T, n) to (T, B, heads * n)."""
    heads, frames = len(values) // clips, values.shape[1]
    return values.view(clips, heads, frames, -1).permute(2, 0, 1, 3).reshape(frames, clips, -1)


def _scaled(values: Tensor, kept: Tensor | None) -> Tensor:
    return values if kept is None else values * kept
