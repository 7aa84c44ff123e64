import kornia
import numpy as np
import pytest
import torch

from mvrecon.evaluation.metrics.image import ImageErrors, image_errors, mean_image_errors, ssim_map


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((1, 3, 12, 16), dtype=np.float32))
    first = torch.nn.functional.interpolate(coarse, (48, 64), mode="bicubic").clamp(0, 1)
    first = first[0].permute(1, 2, 0).numpy()
    noise = rng.normal(0, 0.05, first.shape).astype(np.float32)
    return first, np.clip(first + noise, 0, 1)


def tensor(image_hw3):
    return torch.from_numpy(image_hw3).permute(2, 0, 1)[None]


def test_agrees_with_kornia(pictures):
    first, second = pictures
    everywhere = np.ones(first.shape[:2], bool)
    errors = image_errors(first, second, everywhere)
    psnr = kornia.metrics.psnr(tensor(first), tensor(second), 1.0).item()
    theirs = kornia.metrics.ssim(tensor(first).double(), tensor(second).double(), 11)
    ssim = theirs.mean().item()
    assert errors.psnr_db == pytest.approx(psnr, rel=1e-5)
    assert errors.ssim == pytest.approx(ssim, rel=1e-6)
    assert errors.mse == pytest.approx(torch.mean((tensor(first) - tensor(second)) ** 2).item())
    assert errors.mae == pytest.approx(torch.mean(abs(tensor(first) - tensor(second))).item())
    ours = ssim_map(first, second)
    np.testing.assert_allclose(ours, theirs[0].permute(1, 2, 0).numpy(), atol=1e-6)


def test_equal_pictures(pictures):
    errors = image_errors(pictures[0], pictures[0], np.ones((48, 64), bool))
    assert errors.mae == 0 and errors.mse == 0
    assert errors.psnr_db == float("inf")
    assert errors.ssim == pytest.approx(1)


def test_only_the_chosen_pixels_count():
    first, second = np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 3), np.float32)
    second[0] = 1.0
    second[1] = 0.5
    chosen = np.zeros((4, 4), bool)
    chosen[1:3] = True
    errors = image_errors(first, second, chosen)
    assert errors.coverage == 0.5
    assert errors.mae == pytest.approx(0.25)
    assert errors.mse == pytest.approx(0.125)
    assert errors.psnr_db == pytest.approx(9.0309, abs=1e-4)
    nothing = image_errors(first, second, np.zeros((4, 4), bool))
    assert nothing.coverage == 0
    assert np.isnan([nothing.mae, nothing.mse, nothing.psnr_db, nothing.ssim]).all()


def test_mean_is_over_images():
    mean = mean_image_errors(
        [ImageErrors(1.0, 0.1, 0.01, 20.0, 0.9), ImageErrors(0.5, 0.3, 0.09, 10.0, 0.5)]
    )
    assert mean == ImageErrors(*map(pytest.approx, (0.75, 0.2, 0.05, 15.0, 0.7)))
