"""What the generators make, and the random numbers they draw."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class FlowBatch:
    """Image pairs with their flow.

    Attributes:
        first_b3hw, second_b3hw: RGB in 0…1.
        flow_b2hw: first → second, pixels, x then y; also where the target is hidden.
        visible_bhw: whether the point of the first image is seen in the second.
    """

    first_b3hw: Tensor
    second_b3hw: Tensor
    flow_b2hw: Tensor
    visible_bhw: Tensor

    def with_images(self, first_b3hw: Tensor, second_b3hw: Tensor) -> FlowBatch:
        """The same motion with other colours."""
        return replace(self, first_b3hw=first_b3hw, second_b3hw=second_b3hw)

    def mirrored(self, axis: int) -> FlowBatch:
        """Mirrored left to right (axis 0) or top to bottom (axis 1)."""
        first, second, flow, visible = (part.flip(-1 - axis) for part in _fields(self))
        sign = torch.ones(2, 1, 1, device=flow.device)
        sign[axis] = -1.0
        return FlowBatch(first, second, flow * sign, visible)

    def to(self, device: torch.device) -> FlowBatch:
        """The same on another device."""
        return FlowBatch(*(field.to(device) for field in _fields(self)))

    @staticmethod
    def concatenate(batches: list[FlowBatch]) -> FlowBatch:
        """All samples of several batches of one image size."""
        return FlowBatch(*(torch.cat(parts) for parts in zip(*map(_fields, batches), strict=True)))


@dataclass(frozen=True)
class FlowPairs:
    """The same image pairs with their flow there and back.

    Attributes:
        forward: first → second.
        backward: second → first, so its images are those of `forward` in the other order.
    """

    forward: FlowBatch
    backward: FlowBatch

    def with_images(self, first_b3hw: Tensor, second_b3hw: Tensor) -> FlowPairs:
        """The same motion with other colours."""
        return FlowPairs(
            self.forward.with_images(first_b3hw, second_b3hw),
            self.backward.with_images(second_b3hw, first_b3hw),
        )

    def mirrored(self, axis: int) -> FlowPairs:
        """Mirrored left to right (axis 0) or top to bottom (axis 1)."""
        return FlowPairs(self.forward.mirrored(axis), self.backward.mirrored(axis))

    def to(self, device: torch.device) -> FlowPairs:
        """The same on another device."""
        return FlowPairs(self.forward.to(device), self.backward.to(device))

    @staticmethod
    def concatenate(parts: list[FlowPairs]) -> FlowPairs:
        """All pairs of several parts of one image size."""
        return FlowPairs(
            FlowBatch.concatenate([part.forward for part in parts]),
            FlowBatch.concatenate([part.backward for part in parts]),
        )


def _fields(batch: FlowBatch) -> tuple[Tensor, ...]:
    return batch.first_b3hw, batch.second_b3hw, batch.flow_b2hw, batch.visible_bhw


class Draws:
    """Random numbers of one batch, the same on every device if drawn on the CPU.

    Args:
        seed: of the whole data set.
        index: of the batch within it.
        device: where the numbers go.
        drawn_on: where they are drawn; the CPU if None.
    """

    def __init__(
        self, seed: int, index: int, device: torch.device, drawn_on: torch.device | None = None
    ) -> None:
        self.device = device
        self._drawn_on = drawn_on or torch.device("cpu")
        mixed = (seed * 0x9E3779B97F4A7C15 + index * 0xBF58476D1CE4E5B9) & LARGEST_SEED
        self._generator = torch.Generator(self._drawn_on).manual_seed(mixed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers in low…high."""
        numbers = torch.rand(shape, generator=self._generator, device=self._drawn_on)
        return (low + (high - low) * numbers).to(self.device)

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers in low…high, evenly spread over their logarithm."""
        logs = torch.tensor([low, high]).log()
        return self.uniform(float(logs[0]), float(logs[1]), *shape).exp()

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        numbers = torch.randn(shape, generator=self._generator, device=self._drawn_on)
        return numbers.to(self.device)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Integers from low to high − 1."""
        generator, drawn_on = self._generator, self._drawn_on
        return torch.randint(low, high, shape, generator=generator, device=drawn_on).to(self.device)

    def coin(self, probability: float, *shape: int) -> Tensor:
        """Whether an event of that probability happens."""
        return self.uniform(0.0, 1.0, *shape) < probability
