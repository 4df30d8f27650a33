"""Periodic bias and position codes against their closed forms."""

import math

import torch

from reference_models.parts.attention import sinusoids
from reference_models.parts.periodic import periodic_bias, periodic_codes


def test_bias_is_minus_slope_times_whole_periods_and_hides_later_frames() -> None:
    bias = periodic_bias(4, 60, 25)
    for head, slope in enumerate((1 / 4, 1 / 16, 1 / 64, 1 / 256)):
        for query in (0, 24, 25, 59):
            for key in range(60):
                expected = -slope * ((query - key) // 25) if key <= query else -math.inf
                assert float(bias[head, query, key]) == expected


def test_codes_start_again_each_period() -> None:
    codes = periodic_codes(60, 8, 25)
    torch.testing.assert_close(codes[:25], sinusoids(25, 8))
    torch.testing.assert_close(codes[25:60], codes[:35])
