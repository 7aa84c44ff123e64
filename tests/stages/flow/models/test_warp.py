import torch

from stages.flow.models.warp import stays_inside, warp


def test_warp_looks_up_where_the_flow_points():
    image = torch.arange(20.0).view(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0] = 1.0
    assert torch.equal(warp(image, flow)[..., :-1], image[..., 1:])


def test_inside_is_up_to_the_centres_of_the_border_pixels():
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0, 0], flow[:, 1, 1] = 1.0, -1.5
    inside = stays_inside(flow)[0]
    assert inside[0].tolist() == [True] * 4 + [False]
    assert not inside[1].any()
    assert inside[2:].all()
