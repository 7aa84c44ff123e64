"""RAFT's convolutional encoders: an image to features at 1/8 of its size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

NORM_EPSILON = 1e-5

# From a number of channels to the normalization after a convolution.
NormMaker = Callable[[int], nn.Module]
# From channels in, channels out, stride and normalization to a residual block.
BlockMaker = Callable[[int, int, int, NormMaker], nn.Module]


class InstanceNorm(nn.Module):
    """Zero mean and unit variance over each channel's pixels, without parameters.

    In place on its argument, because these maps are the largest of the network.
    """

    def __init__(self, _channels: int) -> None:
        super().__init__()

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Same shape as the input."""
        variance, mean = torch.var_mean(x_bchw, dim=(2, 3), correction=0, keepdim=True)
        scale = torch.rsqrt(variance + NORM_EPSILON)
        return x_bchw.sub_(mean).mul_(scale)


class NoNorm(nn.Identity):
    """In the place of a normalization."""


class Bottleneck(nn.Module):
    """Residual block: 1×1, 3×3 (with the stride), 1×1 at a quarter of the channels."""

    def __init__(self, in_channels: int, channels: int, stride: int, norm: NormMaker) -> None:
        super().__init__()
        inner = channels // 4
        self.conv1 = nn.Conv2d(in_channels, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1)
        self.conv3 = nn.Conv2d(inner, channels, 1)
        self.norm1, self.norm2, self.norm3 = norm(inner), norm(inner), norm(channels)
        self.downsample: nn.Sequential | None = None
        if stride > 1:
            self.norm4 = norm(channels)
            projection = nn.Conv2d(in_channels, channels, 1, stride=stride)
            self.downsample = nn.Sequential(projection, self.norm4)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """(b, in_channels, h, w) → (b, channels, h / stride, w / stride)."""
        y_bchw = self.norm1(self.conv1(x_bchw)).relu_()
        y_bchw = self.norm2(self.conv2(y_bchw)).relu_()
        y_bchw = self.norm3(self.conv3(y_bchw)).relu_()
        skip_bchw: Tensor = x_bchw if self.downsample is None else self.downsample(x_bchw)
        out_bchw: Tensor = y_bchw.add_(skip_bchw).relu_()
        return out_bchw


class ResidualBlock(nn.Module):
    """Residual block: two 3×3 convolutions, the first with the stride."""

    def __init__(self, in_channels: int, channels: int, stride: int, norm: NormMaker) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1, self.norm2 = norm(channels), norm(channels)
        self.downsample: nn.Sequential | None = None
        if stride > 1:
            # The published checkpoints hold this layer under both names.
            self.norm3 = norm(channels)
            projection = nn.Conv2d(in_channels, channels, 1, stride=stride)
            self.downsample = nn.Sequential(projection, self.norm3)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """(b, in_channels, h, w) → (b, channels, h / stride, w / stride)."""
        y_bchw = self.norm1(self.conv1(x_bchw)).relu_()
        y_bchw = self.norm2(self.conv2(y_bchw)).relu_()
        skip_bchw: Tensor = x_bchw if self.downsample is None else self.downsample(x_bchw)
        out_bchw: Tensor = y_bchw.add_(skip_bchw).relu_()
        return out_bchw


class Encoder(nn.Module):
    """A 7×7 convolution and six residual blocks, with strides 2, 1, 2, 2.

    Args:
        block: makes the residual blocks.
        widths: channels at 1/2, 1/4 and 1/8 of the image size.
        out_channels: channels of the result.
        norm: makes the normalization after each convolution but the last.
    """

    def __init__(
        self, block: BlockMaker, widths: tuple[int, int, int], out_channels: int, norm: NormMaker
    ) -> None:
        super().__init__()
        half, quarter, eighth = widths
        self.conv1 = nn.Conv2d(3, half, 7, stride=2, padding=3)
        self.norm1 = norm(half)
        self.layer1 = nn.Sequential(block(half, half, 1, norm), block(half, half, 1, norm))
        self.layer2 = nn.Sequential(block(half, quarter, 2, norm), block(quarter, quarter, 1, norm))
        self.layer3 = nn.Sequential(block(quarter, eighth, 2, norm), block(eighth, eighth, 1, norm))
        self.conv2 = nn.Conv2d(eighth, out_channels, 1)

    def forward(self, images_b3hw: Tensor) -> Tensor:
        """Images scaled to −1…1, sides divisible by 8 → (b, out_channels, h / 8, w / 8)."""
        x_bchw = self.norm1(self.conv1(images_b3hw)).relu_()
        features_bchw: Tensor = self.conv2(self.layer3(self.layer2(self.layer1(x_bchw))))
        return features_bchw
