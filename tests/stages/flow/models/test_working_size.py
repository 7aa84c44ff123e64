import numpy as np
import torch

from stages.flow.models.working_size import at_working_size, flow_at_size


def test_only_what_is_too_large_shrinks_and_keeps_its_shape():
    image = np.zeros((60, 200, 3), np.uint8)
    assert at_working_size(image, 200) is image
    assert at_working_size(image, 100).shape == (30, 100, 3)
    assert at_working_size(np.zeros((1, 500, 3), np.uint8), 100).shape == (1, 100, 3)


def test_flow_is_given_in_pixels_of_the_size_asked_for():
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 30, 100)
    assert flow_at_size(flow, 30, 100) is flow
    large = flow_at_size(flow, 90, 200)
    assert large.shape == (1, 2, 90, 200)
    torch.testing.assert_close(large[0, :, 7, 9], torch.tensor([4.0, -3.0]))
