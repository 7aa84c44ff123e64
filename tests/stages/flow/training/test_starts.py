from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from mvrecon.synthetic.training.batch import Draws
from stages.flow.models.dis import START_PRESET, START_REFINEMENTS, DisFlow
from stages.flow.training.starts import DROPPED_SHARE, dis_starts, training_start
from tests.stages.flow.scenes import shifted_pair


def as_batch(image: np.ndarray, count: int = 1) -> torch.Tensor:
    return (torch.from_numpy(image).permute(2, 0, 1)[None] / 255.0).repeat(count, 1, 1, 1)


def test_unspoilt_starts_are_those_of_use():
    images = shifted_pair(5, -2)
    wanted_hw2 = DisFlow(START_PRESET, START_REFINEMENTS).estimate(*images).forward_hw2
    found_b2hw = dis_starts(*(as_batch(image) for image in images))
    difference_hw2 = found_b2hw[0].permute(1, 2, 0).numpy() - wanted_hw2
    assert np.median(np.abs(difference_hw2)) < 0.02


def test_some_starts_of_training_are_dropped_and_some_are_spoilt():
    count = 60
    first, second = (as_batch(image, count) for image in shifted_pair(5, -2))
    starts_b2hw = training_start(first, second, Draws(3, 0, torch.device("cpu")))
    dropped_b = (starts_b2hw == 0).flatten(1).all(1)
    assert 0 < dropped_b.float().mean() < 3 * DROPPED_SHARE
    miss_b = (starts_b2hw[~dropped_b] - torch.tensor([5.0, -2.0]).view(2, 1, 1)).norm(dim=1)
    far_b = (miss_b > 3.0).flatten(1).float().mean(1)
    assert 0 < (far_b > 0.2).float().mean() < 0.5
    assert far_b.median() < 0.1


def test_many_threads_find_the_same_starts():
    pairs = [shifted_pair(shift, -shift) for shift in range(1, 9)]
    first, second = (
        torch.cat([as_batch(image) for image in side]) for side in zip(*pairs, strict=True)
    )
    with ThreadPoolExecutor(4) as executor:
        found_b2hw = dis_starts(first, second, executor=executor)
    assert torch.equal(found_b2hw, dis_starts(first, second))
