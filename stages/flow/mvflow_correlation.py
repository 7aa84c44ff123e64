"""Correlation of features: locally around a flow, and globally at a coarse level."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# A block of pixels is handled at once; its margin on each side is half a block.
BLOCK = 8
RADIUS = BLOCK // 2
# So many products are held at once when all cells are compared with all.
ROWS_TIMES_KEYS = 2_000_000


def warp(image_bchw: Tensor, flow_b2hw: Tensor) -> Tensor:
    """The image looked up at x + flow(x); zero outside."""
    height, width = flow_b2hw.shape[-2:]
    x = torch.arange(width, device=flow_b2hw.device, dtype=torch.float32)
    y = torch.arange(height, device=flow_b2hw.device, dtype=torch.float32)
    u = (flow_b2hw[:, 0].float() + x) * (2.0 / max(width - 1, 1)) - 1.0
    v = (flow_b2hw[:, 1].float() + y[:, None]) * (2.0 / max(height - 1, 1)) - 1.0
    warped = F.grid_sample(image_bchw.float(), torch.stack([u, v], -1), align_corners=True)
    return warped.to(image_bchw.dtype)


def local_correlation(first_bchw: Tensor, warped_bchw: Tensor) -> Tensor:
    """Products of features with the warped ones at the (2·RADIUS + 1)² shifts around.

    Works in blocks of 8×8 pixels: one matrix product of a block with the block and its
    margin, of which each pixel keeps its own window. Shifts run row by row.

    Returns:
        (b, (2·RADIUS + 1)², h, w), channels last in memory.
    """
    batch, _, height, width = first_bchw.shape
    pad_h, pad_w = -height % BLOCK, -width % BLOCK
    first = _blocks(F.pad(first_bchw, (0, pad_w, 0, pad_h)))
    margins = (RADIUS, RADIUS + pad_w, RADIUS, RADIUS + pad_h)
    second = _blocks(F.pad(warped_bchw, margins))
    # A block and its margin are the four blocks, half a block apart, that meet in it.
    second = torch.cat([second[:, :-1], second[:, 1:]], 3)
    second = torch.cat([second[:, :, :-1], second[:, :, 1:]], 4)
    rows, columns = first.shape[1:3]
    count, channels = batch * rows * columns, first.shape[-1]
    products_nps = torch.bmm(
        first.reshape(count, -1, channels), second.view(count, -1, channels).transpose(1, 2)
    )
    windows: Tensor = _OwnWindow.apply(products_nps)  # type: ignore[no-untyped-call]
    image = windows.view(batch, rows, columns, BLOCK, BLOCK, -1).permute(0, 1, 3, 2, 4, 5)
    image = image.reshape(batch, rows * BLOCK, columns * BLOCK, -1)
    return image[:, :height, :width].permute(0, 3, 1, 2)


def _blocks(image_bchw: Tensor) -> Tensor:
    """Split into (b, rows, columns, 8, 8, c)."""
    batch, channels, height, width = image_bchw.shape
    shape = (batch, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return image_bchw.reshape(shape).permute(0, 2, 4, 3, 5, 1)


class _OwnWindow(torch.autograd.Function):
    """From products of a block's pixels with its surroundings, each pixel's own window.

    The wanted elements lie at regular strides and do not overlap, so a strided view picks
    them; its generic derivative is far slower than the copy back.
    """

    @staticmethod
    def forward(ctx: Any, products_nps: Tensor) -> Tensor:
        ctx.shape = products_nps.shape
        return _window_view(products_nps).reshape(len(products_nps), BLOCK, BLOCK, -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        products_nps = gradients[0].new_zeros(ctx.shape)
        view = _window_view(products_nps)
        view.copy_(gradients[0].reshape(view.shape))
        return products_nps


def _window_view(products_nps: Tensor) -> Tensor:
    window, span = 2 * RADIUS + 1, 2 * BLOCK
    area = span * span
    return products_nps.as_strided(
        (len(products_nps), BLOCK, BLOCK, window, window),
        (BLOCK * BLOCK * area, BLOCK * area + span, area + 1, span, 1),
    )


def best_shift(logits_bhwk: Tensor) -> tuple[Tensor, Tensor]:
    """The expected shift (b, 2, h, w), and the probabilities of the likeliest and of none.

    Args:
        logits_bhwk: of each shift of the window.
    """
    probability = logits_bhwk.softmax(-1)
    offsets = torch.arange(-RADIUS, RADIUS + 1, device=probability.device, dtype=torch.float32)
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    shift = (probability @ torch.stack([x, y], -1).view(-1, 2)).permute(0, 3, 1, 2)
    centre = probability.shape[-1] // 2
    peak = torch.stack([probability.amax(-1), probability[..., centre]], 1)
    return shift, peak.detach()


class Matches(NamedTuple):
    """For each cell its best match in the whole other image.

    Attributes:
        flow_b2hw: displacement, in cells.
        trust_b2hw: similarity, and whether the match's own best match is this cell.
    """

    flow_b2hw: Tensor
    trust_b2hw: Tensor


def best_matches(first_bchw: Tensor, second_bchw: Tensor, paired: bool = False) -> Matches:
    """Compare all cells of both feature maps, without a gradient.

    Args:
        first_bchw: features of unit length.
        second_bchw: those of the other image.
        paired: the second half of the batch is the first with the images swapped.
    """
    height, width = first_bchw.shape[-2:]
    first, second = (part.detach().flatten(2).transpose(1, 2) for part in (first_bchw, second_bchw))
    if paired:
        half = len(first) // 2
        there, back = _nearest_both_ways(first[:half], second[:half])
        similarity, index = (torch.cat(parts) for parts in zip(there, back, strict=True))
        back_index = torch.cat([back[1], there[1]])
    else:
        (similarity, index), (_, back_index) = _nearest_both_ways(first, second)
    found = back_index.gather(1, index)
    here = torch.arange(height * width, device=index.device)
    displacement = torch.stack(
        [index % width - here % width, index // width - here // width], dim=1
    )
    # Within one cell the way there and back counts as mutual.
    apart = torch.maximum(
        (found % width - here % width).abs(), (found // width - here // width).abs()
    )
    trust = torch.stack([similarity.float(), (apart <= 1).float()], dim=1)
    shape = (-1, 2, height, width)
    return Matches(displacement.float().view(shape), trust.view(shape))


Nearest = tuple[Tensor, Tensor]


def _nearest_both_ways(first_bnc: Tensor, second_bnc: Tensor) -> tuple[Nearest, Nearest]:
    """Similarity and index (b, n) of what in the other image is nearest to each cell.

    Every product is made once and serves both ways, with bounded memory.
    """
    second_bcn = second_bnc.transpose(1, 2)
    rows = max(ROWS_TIMES_KEYS // second_bnc.shape[1], 1)
    there, best, index = [], None, None
    for start, part in zip(
        range(0, first_bnc.shape[1], rows), torch.split(first_bnc, rows, 1), strict=True
    ):
        products = torch.bmm(part, second_bcn)
        there.append(products.max(2))
        found = products.max(1)
        if best is None or index is None:
            best, index = found.values, found.indices
            continue
        better = found.values > best
        best = torch.where(better, found.values, best)
        index = torch.where(better, found.indices + start, index)
    assert best is not None and index is not None
    values = torch.cat([part.values for part in there], 1)
    indices = torch.cat([part.indices for part in there], 1)
    return (values, indices), (best, index)
