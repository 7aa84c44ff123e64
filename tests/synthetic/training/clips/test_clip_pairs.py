from __future__ import annotations

import pytest
import torch

from mvrecon.synthetic.training.clips.posed_clips import clip_pair
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.scenes import KINDS
from mvrecon.synthetic.training.sampling import pixel_grid, sample
from mvrecon.synthetic.training.textures import procedural_textures

SIZE = (64, 96)


@pytest.fixture(scope="module")
def textures() -> list[torch.Tensor]:
    return texture_pyramid(procedural_textures(8))


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_frame_warped_by_the_flow_is_the_first(textures, kind: str):
    pair = clip_pair(3, textures, kind, SIZE)
    assert pair.visible_bhw.float().mean() >= 0.5
    target = (pair.flow_b2hw + pixel_grid(*SIZE, torch.device("cpu")).permute(2, 0, 1)).permute(
        0, 2, 3, 1
    )
    first, second, warped = (
        image.mean(1)[pair.visible_bhw]
        for image in (pair.first_b3hw, pair.second_b3hw, sample(pair.second_b3hw, target))
    )
    # Exposure drifts between the frames.
    same, moved = (
        float(torch.corrcoef(torch.stack([first, other]))[0, 1]) for other in (warped, second)
    )
    assert same > 0.85
    assert same > moved


def test_the_same_seed_gives_the_same_pair(textures):
    one, same, other = (clip_pair(seed, textures, "desk", SIZE) for seed in (3, 3, 4))
    assert torch.equal(one.first_b3hw, same.first_b3hw)
    assert torch.equal(one.flow_b2hw, same.flow_b2hw)
    assert not torch.equal(one.flow_b2hw, other.flow_b2hw)
