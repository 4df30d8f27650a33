from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from reference_models.parts.diffusion import Denoiser, Diffusion, cosine_betas, ddim_steps
from reference_models.parts.draws import Draws


@pytest.mark.parametrize("steps", [2, 50, 1000])
def test_the_schedule_ends_in_noise_and_never_leaves_its_bounds(steps: int) -> None:
    beta = cosine_betas(steps)
    kept = Diffusion(steps).kept
    assert bool((beta > 0).all()) and float(beta.max()) <= 0.999
    assert float(kept[-1]) < 1e-2 / steps
    assert bool((kept.diff() < 0).all())


def test_the_schedule_is_that_of_the_closed_form() -> None:
    place = np.arange(1, 50) / 50  # the last step is capped
    form = np.cos((place + 0.008) / 1.008 * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    assert np.allclose(Diffusion(50).kept[:-1].numpy(), form, atol=1e-6)


@pytest.mark.parametrize("step", [0, 20, 49])
def test_noised_motions_have_the_marginal_of_their_step(step: int) -> None:
    diffusion = Diffusion(50)
    torch.manual_seed(0)
    clean = torch.full((4, 100, 56), 2.0)
    noisy = diffusion.noised(clean, torch.full((4,), step), torch.randn_like(clean))
    kept = float(diffusion.kept[step])
    assert float(noisy.mean()) == pytest.approx(2 * kept**0.5, abs=0.03)
    assert float(noisy.var()) == pytest.approx(1 - kept, abs=0.03)


def test_each_row_is_noised_by_its_own_step() -> None:
    diffusion = Diffusion(50)
    clean, noise = torch.ones(2, 3, 4), torch.zeros(2, 3, 4)
    noisy = diffusion.noised(clean, torch.tensor([0, 49]), noise)
    assert torch.allclose(noisy[:, 0, 0], diffusion.kept[[0, 49]].sqrt())


@pytest.mark.parametrize("steps", [10, 500, 1000])
def test_the_last_step_back_is_the_prediction_and_the_first_hardly_trusts_the_noise(steps: int) -> None:
    diffusion = Diffusion(steps)
    assert float(diffusion.clean_weight[0]) == pytest.approx(1)
    assert float(diffusion.noisy_weight[0]) == 0
    assert float(diffusion.deviation[0]) == 0
    assert 0 < float(diffusion.noisy_weight[-1]) < 0.1
    for values in (diffusion.clean_weight, diffusion.noisy_weight, diffusion.deviation):
        assert bool(values.isfinite().all())


def test_a_step_back_keeps_the_marginal_of_the_step_before() -> None:
    diffusion = Diffusion(50)
    kept = diffusion.kept.double()
    mean = diffusion.clean_weight.double() + diffusion.noisy_weight.double() * kept.sqrt()
    variance = diffusion.deviation.double().square() + diffusion.noisy_weight.double().square() * (1 - kept)
    assert torch.allclose(mean[1:], kept[:-1].sqrt(), atol=1e-5)
    assert torch.allclose(variance[1:], 1 - kept[:-1], atol=1e-5)


def test_training_draws_a_step_a_clip_and_validation_the_same_few() -> None:
    diffusion = Diffusion(40)
    torch.manual_seed(0)
    clean = torch.zeros(64, 2, 3)
    (task,) = diffusion.tasks(clean)
    assert len(set(task[1].tolist())) > 20 and int(task[1].min()) >= 0 and int(task[1].max()) < 40
    diffusion.eval()
    assert [sorted(set(step.tolist())) for _, step in diffusion.tasks(clean)] == [[5], [15], [25], [35]]


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_sampling_with_a_perfect_denoiser_gives_the_clean_motion(sampler: str) -> None:
    truth = torch.randn(2, 8, 3)
    assert torch.allclose(_sample(sampler, lambda *_: truth, [1, 2]), truth, atol=1e-5)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_sampling_recovers_a_gaussian(sampler: str) -> None:
    diffusion = Diffusion(200)

    def denoise(noisy: Tensor, step: Tensor) -> Tensor:  # the best guess where clean motions are N(1, 0.5^2)
        kept = diffusion.kept[step][:, None, None]
        gain = kept.sqrt() * 0.25 / (kept * 0.25 + 1 - kept)
        return 1 + gain * (noisy - kept.sqrt())

    draws = Draws([0, 1])
    found = (
        diffusion.ddpm(denoise, 200, 10, draws) if sampler == "ddpm" else diffusion.ddim(denoise, 200, 10, draws, 100)
    )
    assert float(found.mean()) == pytest.approx(1, abs=0.05)
    assert float(found.std()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_samples_follow_their_seeds(sampler: str) -> None:
    def denoise(noisy: Tensor, step: Tensor) -> Tensor:
        return 0.5 * noisy + step[:, None, None] / 100

    first = _sample(sampler, denoise, [1, 2])
    assert torch.equal(first, _sample(sampler, denoise, [1, 2]))
    assert torch.equal(first.flip(0), _sample(sampler, denoise, [2, 1]))
    assert not torch.allclose(first[0], first[1])


def test_fewer_steps_still_begin_at_noise_and_end_at_the_first_step() -> None:
    assert ddim_steps(50, 100) == list(range(49, -1, -1))
    places = ddim_steps(500, 50)
    assert (len(places), places[0], places[-1]) == (50, 499, 0)
    assert all(a > b for a, b in pairwise(places))


def _sample(sampler: str, denoise: Denoiser, seeds: list[int]) -> Tensor:
    diffusion, draws = Diffusion(20), Draws(seeds)
    if sampler == "ddpm":
        return diffusion.ddpm(denoise, 8, 3, draws)
    return diffusion.ddim(denoise, 8, 3, draws, 5)
