"""Convolutions with 8-bit weights and activations in torch (oneDNN), statically scaled."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

LEVELS = 255


class Int8Convolution(nn.Module):
    """A convolution on activations of 8 bits between two bounds, weights scaled by channel.

    Args:
        convolution: with its weights in 32 bits.
        low, high: of the activations, as calibration showed them.
    """

    def __init__(self, convolution: nn.Conv2d, low: float, high: float) -> None:
        super().__init__()
        low, high = min(low, 0.0), max(high, 1e-6)
        self.scale = (high - low) / LEVELS
        self.zero = round(-low / self.scale)
        weight = convolution.weight.detach()
        scales = weight.abs().amax((1, 2, 3)).clamp_min(1e-8) / 127.0
        integers = (weight / scales[:, None, None, None]).round().clamp(-127, 127).to(torch.int8)
        self.geometry = (
            list(convolution.stride),
            [int(p) for p in convolution.padding],
            list(convolution.dilation),
            convolution.groups,
        )
        self.weight_scales, self.bias = scales, convolution.bias
        self.weight_zeros = torch.zeros(len(scales), dtype=torch.int32)
        self.packed = torch.ops.onednn.qconv_prepack(
            integers, scales, self.scale, self.zero, *self.geometry, None
        )

    def forward(self, x_bchw: Tensor) -> Tensor:
        """As the convolution; the result has 16 bits under autocast, else 32."""
        half = torch.is_autocast_enabled("cpu")
        quantized = torch.quantize_per_tensor(x_bchw.float(), self.scale, self.zero, torch.quint8)
        result: Tensor = torch.ops.onednn.qconv2d_pointwise(
            quantized.int_repr(),
            self.scale,
            self.zero,
            self.packed,
            self.weight_scales,
            self.weight_zeros,
            self.bias,
            *self.geometry,
            1.0,
            0,
            torch.bfloat16 if half else torch.float32,
            "none",
            [],
            "",
        )
        return result


def with_int8_convolutions(network: nn.Module, calibrate: Callable[[], object]) -> None:
    """Replace the network's convolution modules, in place.

    Args:
        network: whose `nn.Conv2d` modules are replaced.
        calibrate: runs the network on typical inputs.
    """
    bounds: dict[str, tuple[float, float]] = {}
    convolutions = {
        name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)
    }

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            low, high = bounds.get(name, (0.0, 0.0))
            bounds[name] = min(low, float(inputs[0].min())), max(high, float(inputs[0].max()))

        return note

    handles = [
        module.register_forward_pre_hook(watch(name)) for name, module in convolutions.items()
    ]
    calibrate()
    for handle in handles:
        handle.remove()
    for name, (low, high) in bounds.items():
        parent, _, own = name.rpartition(".")
        replacement = Int8Convolution(convolutions[name], low, high)
        setattr(network.get_submodule(parent), own, replacement)
