import torch
import torch.nn.functional as F

from mvrecon.learning.layers import ResidualBlock


def test_without_its_convolutions_a_block_passes_on_what_is_positive():
    block = ResidualBlock(16)
    torch.nn.init.zeros_(block.first.weight)
    torch.nn.init.zeros_(block.second.weight)
    x = torch.randn(2, 16, 5, 7)
    assert torch.equal(block(x), F.relu(x))


def test_a_block_sees_two_pixels_far():
    block = ResidualBlock(8).eval()
    torch.nn.init.ones_(block.first.weight)
    torch.nn.init.ones_(block.second.weight)
    block.first_norm = block.second_norm = torch.nn.Identity()
    x = torch.zeros(1, 8, 9, 9)
    x[..., 4, 4] = 1.0
    seen = block(x)[0, 0] > 0
    expected = torch.zeros(9, 9, dtype=torch.bool)
    expected[2:7, 2:7] = True
    assert torch.equal(seen, expected)
