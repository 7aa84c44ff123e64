import torch

from mvrecon.learning.layers import neighborhoods, upsampled_convexly


def test_the_middle_neighbour_is_the_pixel_itself():
    values = torch.arange(20.0).view(1, 1, 4, 5)
    for dilation in (1, 2):
        around = neighborhoods(values, dilation)
        assert around.shape == (1, 9, 4, 5)
        torch.testing.assert_close(around[:, 4:5], values)
        torch.testing.assert_close(around[0, 3, :, dilation:], values[0, 0, :, :-dilation])
    assert float(neighborhoods(values)[0, 0, 0, 0]) == 0  # the border is repeated


def test_one_hot_weights_copy_coarse_pixels():
    coarse = torch.arange(6.0).view(1, 1, 2, 3)
    weights = torch.zeros(1, 9, 16, 2, 3)
    weights[:, 4] = 1
    fine = upsampled_convexly(coarse, weights)
    torch.testing.assert_close(fine, coarse.repeat_interleave(4, 2).repeat_interleave(4, 3))
