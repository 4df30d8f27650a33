"""Backpropagation through a decoder's own loop: what reaches each output by way of all later frames.

Only activations are followed, frame by frame from the last; gradients of weights are left to the parallel pass.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Kept(NamedTuple):
    """What dropout keeps in one layer, scaled up; drawn before the loop, so that all passes share it."""

    attention: Tensor
    """(B * heads, T, T)."""
    seen: Tensor
    """(T, B, width)."""
    hidden: Tensor
    """(T, B, hidden)."""
    out: Tensor
    """(T, B, width)."""

    def at(self, frame: int) -> "Kept":
        """The part of one frame."""
        attention = self.attention[:, frame : frame + 1, : frame + 1]
        return Kept(attention, self.seen[frame], self.hidden[frame], self.out[frame])


class Weights(NamedTuple):
    """A layer's weights between its tokens and its output, but for the memory's."""

    mix: Tensor
    """(3 * width, width): queries, keys, values."""
    mix_bias: Tensor
    out: Tensor
    """(width, width)."""
    out_bias: Tensor
    up: Tensor
    """(hidden, width)."""
    up_bias: Tensor
    down: Tensor
    """(width, hidden)."""
    down_bias: Tensor
    norms: Sequence[tuple[Tensor, Tensor]]
    """Scale and shift (width,) of the normalisations after attention, memory and feed-forward map."""


class Normalised(NamedTuple):
    """What a layer normalisation was given, and what it found."""

    values: Tensor
    """(..., width)."""
    mean: Tensor
    """(..., 1)."""
    scale: Tensor
    """(..., 1)."""


class LayerTrace(NamedTuple):
    """What the parallel pass through one layer leaves behind."""

    weights: Weights
    query: Tensor
    """(B * heads, T, n), divided by the root of n."""
    key: Tensor
    """(B * heads, T, n)."""
    value: Tensor
    """(B * heads, T, n)."""
    attention: Tensor
    """(B * heads, T, T), before dropout."""
    sums: Sequence[Normalised]
    """Of (T, B, width)."""
    active: Tensor
    """(T, B, hidden), after the rectifier."""
    kept: Kept | None


class Loop(NamedTuple):
    """What leads from each frame's output to the next frame's token."""

    layers: Sequence[LayerTrace]
    feedback: Tensor | None
    """(width, width) that an output is multiplied with; None for the output itself."""
    kept: Tensor | None
    """(T, B, width): dropout of tokens."""


def through_time(outputs: Tensor, loop: Loop) -> Tensor:
    """The outputs (T, B, width) of a parallel pass, whose gradient becomes that of the loop which found its tokens."""
    result: Tensor = _ThroughTime.apply(outputs, loop)  # type: ignore[no-untyped-call]
    return result


class _ThroughTime(torch.autograd.Function):
    @staticmethod
    def forward(ctx: "torch.autograd.function.FunctionCtx", outputs: Tensor, loop: Loop) -> Tensor:
        ctx.loop = loop  # type: ignore[attr-defined]
        return outputs.view_as(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: "torch.autograd.function.FunctionCtx", gradient: Tensor) -> tuple[Tensor, None]:
        with torch.autocast(gradient.device.type, enabled=False):
            return reached(gradient, ctx.loop), None  # type: ignore[attr-defined]


def reached(gradient: Tensor, loop: Loop) -> Tensor:
    """Adds to the outputs' own gradient (T, B, width) what comes back from later frames."""
    layers = [_Backwards(trace) for trace in reversed(loop.layers)]
    total = list(gradient.float().unbind(0))
    for frame in range(len(total) - 1, 0, -1):
        flow = total[frame]
        for layer in layers:
            flow = layer.step(flow, frame)
        if loop.kept is not None:
            flow = flow * loop.kept[frame]
        earlier = total[frame - 1]
        total[frame - 1] = earlier + flow if loop.feedback is None else torch.addmm(earlier, flow, loop.feedback.T)
    return torch.stack(total)


class _Backwards:
    """One layer from its output to its token, from the last frame to the first.

    A frame's key and value also serve later frames: what those send back is kept until its turn comes.
    """

    def __init__(self, trace: LayerTrace) -> None:
        attention, kept = trace.attention, trace.kept
        self.trace = trace
        self.applied = attention if kept is None else attention * kept.attention
        gate = (trace.active > 0).to(attention.dtype)
        self.gate = gate if kept is None else gate * kept.hidden
        self.scores = torch.empty_like(attention)  # gradients of scores
        self.seen = torch.empty_like(trace.value)  # gradients of what attention gathers

    def step(self, flow: Tensor, frame: int) -> Tensor:
        """Gradient of a frame's token (B, width) from that of its output."""
        trace, weights, kept = self.trace, self.trace.weights, self.trace.kept
        flow = self._norm(2, flow, frame)
        inner = flow if kept is None else flow * kept.out[frame]
        flow = torch.addmm(flow, (inner @ weights.down) * self.gate[frame], weights.up)
        flow = self._norm(0, self._norm(1, flow, frame), frame)
        inner = flow if kept is None else flow * kept.seen[frame]
        parts = self._attention((inner @ weights.out).view(len(trace.key), 1, -1), frame)
        mixed = torch.cat([part.view(flow.shape) for part in parts], dim=1)
        return torch.addmm(flow, mixed, weights.mix)

    def _attention(self, seen: Tensor, frame: int) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of a frame's query, key and value from that of what it saw, each (B * heads, 1, n)."""
        trace, now, later = self.trace, slice(frame, frame + 1), slice(frame, None)
        weight = torch.bmm(seen, trace.value[:, : frame + 1].transpose(1, 2))  # (B * heads, 1, frame + 1)
        if trace.kept is not None:
            weight = weight * trace.kept.attention[:, now, : frame + 1]
        attention = trace.attention[:, now, : frame + 1]
        score = torch.ops.aten._softmax_backward_data(weight, attention, -1, weight.dtype)
        self.scores[:, now, : frame + 1] = score
        self.seen[:, now] = seen
        query = torch.bmm(score, trace.key[:, : frame + 1])
        query = query * trace.query.shape[-1] ** -0.5
        key = torch.bmm(self.scores[:, later, now].transpose(1, 2), trace.query[:, later])
        value = torch.bmm(self.applied[:, later, now].transpose(1, 2), self.seen[:, later])
        return query, key, value

    def _norm(self, index: int, flow: Tensor, frame: int) -> Tensor:
        (scale, shift), (values, mean, deviation) = self.trace.weights.norms[index], self.trace.sums[index]
        result: Tensor = torch.ops.aten.native_layer_norm_backward(
            flow, values[frame], scale.shape, mean[frame], deviation[frame], scale, shift, [True, False, False]
        )[0]
        return result
