"""The convolutional encoder of RAFT-small: an image to features at 1/8 of its size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NORM_EPSILON = 1e-5


def instance_norm(x_bchw: Tensor) -> Tensor:
    """Zero mean and unit variance over each channel's pixels.

    In place on its argument, because these maps are the largest of the network.
    """
    variance, mean = torch.var_mean(x_bchw, dim=(2, 3), correction=0, keepdim=True)
    scale = torch.rsqrt(variance + NORM_EPSILON)
    return x_bchw.sub_(mean).mul_(scale)


class Bottleneck(nn.Module):
    """Residual block: 1×1, 3×3 (with the stride), 1×1 at a quarter of the channels."""

    def __init__(self, in_channels: int, channels: int, stride: int, normalize: bool) -> None:
        super().__init__()
        inner = channels // 4
        self.conv1 = nn.Conv2d(in_channels, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1)
        self.conv3 = nn.Conv2d(inner, channels, 1)
        self.downsample = (
            nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride=stride))
            if stride > 1
            else None
        )
        self.normalize = normalize

    def forward(self, x_bchw: Tensor) -> Tensor:
        """(b, in_channels, h, w) → (b, channels, h / stride, w / stride)."""
        y_bchw = x_bchw
        for conv in (self.conv1, self.conv2, self.conv3):
            y_bchw = self._norm(conv(y_bchw)).relu_()
        if self.downsample is not None:
            x_bchw = self._norm(self.downsample(x_bchw))
        return y_bchw.add_(x_bchw).relu_()

    def _norm(self, x_bchw: Tensor) -> Tensor:
        return instance_norm(x_bchw) if self.normalize else x_bchw


class SmallEncoder(nn.Module):
    """Seven convolution stages with strides 2, 1, 2, 2, 1.

    Args:
        out_channels: channels of the result.
        normalize: instance normalization after each convolution but the last.
    """

    def __init__(self, out_channels: int, normalize: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, stride=2, padding=3)
        self.layer1 = _layer(32, 32, 1, normalize)
        self.layer2 = _layer(32, 64, 2, normalize)
        self.layer3 = _layer(64, 96, 2, normalize)
        self.conv2 = nn.Conv2d(96, out_channels, 1)
        self.normalize = normalize

    def forward(self, images_b3hw: Tensor) -> Tensor:
        """Images scaled to −1…1, sides divisible by 8 → (b, out_channels, h / 8, w / 8)."""
        x_bchw = self.conv1(images_b3hw)
        if self.normalize:
            x_bchw = instance_norm(x_bchw)
        x_bchw = self.layer3(self.layer2(self.layer1(x_bchw.relu_())))
        features_bchw: Tensor = self.conv2(x_bchw)
        return features_bchw


def _layer(in_channels: int, channels: int, stride: int, normalize: bool) -> nn.Sequential:
    return nn.Sequential(
        Bottleneck(in_channels, channels, stride, normalize),
        Bottleneck(channels, channels, 1, normalize),
    )
