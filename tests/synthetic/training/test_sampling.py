import torch

from mvrecon.synthetic.training.sampling import inside, look_up, pixel_grid, sample

CPU = torch.device("cpu")


def test_the_grid_looks_up_every_pixel_at_its_centre():
    image = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    grid = pixel_grid(5, 7, CPU).expand(2, -1, -1, -1)
    assert grid[0, 4, 6].tolist() == [6.0, 4.0]
    torch.testing.assert_close(sample(image, grid), image)
    middle = sample(image, grid[:, :, :-1] + torch.tensor([0.5, 0.0]))
    torch.testing.assert_close(middle, (image[..., :-1] + image[..., 1:]) / 2)


def test_an_image_ends_at_the_centres_of_its_outermost_pixels():
    xy = torch.tensor([[[[0.0, 0.0], [6.0, 4.0], [6.01, 4.0], [3.0, -0.01], [3.0, 4.01]]]])
    assert inside(xy, (5, 7)).flatten().tolist() == [True, True, False, False, False]


def test_textures_are_mixed_between_texels_and_mirrored_beyond_their_borders():
    textures = torch.zeros(2, 4, 6, 3, dtype=torch.uint8)
    textures[1] = (torch.arange(6) * 50)[None, :, None].to(torch.uint8)
    u = torch.tensor([0.0, 2.5, -2.0, 12.0])
    value = look_up(textures, torch.ones(4).long(), u, torch.full((4,), 1.5))[:, 0] * 255
    # Twice the width of five texels, less the thousandth that keeps a neighbour, is a period.
    torch.testing.assert_close(value, torch.tensor([0.0, 125.0, 100.0, 100.1]), atol=0.3, rtol=0)
    assert look_up(textures, torch.zeros(4).long(), u, u).abs().max() == 0
