"""Decoder layers fed with their own output: the loop, its cache and its gradient."""

import pytest
import torch
from torch import Tensor

from reference_models.parts.feedback_decoder import FeedbackDecoder
from reference_models.parts.periodic import lag_bias

WIDTH, HEADS, FRAMES = 8, 2, 14


def decoder(layers: int = 1, dropout: float = 0.0) -> FeedbackDecoder:
    torch.manual_seed(0)
    return FeedbackDecoder(WIDTH, HEADS, layers, 16, dropout)


def inputs(seed: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    constants, memory = torch.randn(2, 3, FRAMES, WIDTH).unbind(0)
    feedback = torch.randn(WIDTH, WIDTH) / WIDTH**0.5
    return constants.requires_grad_(), memory.requires_grad_(), lag_bias(HEADS, FRAMES, 5), feedback.requires_grad_()


def recomputed(
    model: FeedbackDecoder, constants: Tensor, memory: Tensor, lags: Tensor, feedback: Tensor | None
) -> Tensor:
    tokens = hidden = constants[:, :1]
    for frame in range(1, constants.shape[1] + 1):
        hidden = model.given(tokens, memory[:, :frame], lags[:, :frame])
        last = hidden[:, -1:] if feedback is None else hidden[:, -1:] @ feedback
        tokens = torch.cat([tokens, last + constants[:, frame : frame + 1]], dim=1)
    return hidden


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("mapped", [True, False])
def test_loop_equals_recomputing_every_prefix_in_values_and_in_all_gradients(layers: int, mapped: bool) -> None:
    model = decoder(layers)
    constants, memory, lags, feedback = inputs()
    back = feedback if mapped else None
    wanted = [constants, memory, *model.parameters(), *([feedback] if mapped else [])]
    weight = torch.randn(3, FRAMES, WIDTH)
    found, slow = model(constants, memory, lags, back), recomputed(model, constants, memory, lags, back)
    torch.testing.assert_close(found, slow, atol=1e-5, rtol=0)
    fast_gradients = torch.autograd.grad((found * weight).sum(), wanted)
    slow_gradients = torch.autograd.grad((slow * weight).sum(), wanted)
    for fast, reference in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(fast, reference, atol=1e-4 * float(reference.abs().max()), rtol=0)


def test_gradient_is_that_of_the_loop_with_the_dropout_that_was_drawn() -> None:
    model = decoder(2, dropout=0.3)
    constants, memory, lags, feedback = inputs()
    weight, direction = torch.randn(3, FRAMES, WIDTH), torch.randn_like(feedback)

    def value(step: float) -> Tensor:
        torch.manual_seed(5)
        moved: Tensor = model(constants, memory, lags, feedback + step * direction)
        return (moved * weight).sum()

    slope = (torch.autograd.grad(value(0.0), feedback)[0] * direction).sum()
    with torch.no_grad():
        difference = (value(1e-3) - value(-1e-3)) / 2e-3
    torch.testing.assert_close(slope, difference, rtol=2e-2, atol=1e-2)


def test_parallel_pass_finds_what_the_cached_loop_found_under_dropout() -> None:
    model = decoder(2, dropout=0.3)
    constants, memory, lags, feedback = inputs()
    torch.manual_seed(5)
    with_graph = model(constants, memory, lags, feedback)
    torch.manual_seed(5)
    with torch.no_grad():
        torch.testing.assert_close(model(constants, memory, lags, feedback), with_graph, atol=1e-5, rtol=0)


def test_frames_do_not_see_later_memory_nor_later_constants() -> None:
    model = decoder()
    constants, memory, lags, feedback = inputs()
    with torch.no_grad():
        before = model(constants, memory, lags, feedback)
        constants[:, 9:], memory[:, 9:] = 0.0, 3.0
        after = model(constants, memory, lags, feedback)
    torch.testing.assert_close(before[:, :9], after[:, :9])
    assert (before[:, 9] - after[:, 9]).abs().max() > 0.1


def test_memory_is_attended_to_as_one_frame_by_one_frame_attention() -> None:
    layer = decoder()._layers()[0]
    memory = torch.randn(4, 2, WIDTH)
    attention = torch.nn.MultiheadAttention(WIDTH, HEADS)
    with torch.no_grad():
        attention.in_proj_weight[2 * WIDTH :].copy_(layer.memory_value.weight)
        attention.in_proj_bias[2 * WIDTH :].copy_(layer.memory_value.bias)
        attention.out_proj.weight.copy_(layer.memory_out.weight)
    seen = attention(torch.randn(4, 2, WIDTH), memory, memory, attn_mask=~torch.eye(4, dtype=torch.bool))[0]
    torch.testing.assert_close(layer.heard(memory), seen)
