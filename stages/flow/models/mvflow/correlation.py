"""Correlation of features: locally around a flow, and globally at a coarse level."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mvrecon.learning.precision import full_precision

# A block of pixels is handled at once; its margin on each side is half a block.
BLOCK = 8
RADIUS = BLOCK // 2
# So many products are held at once when all cells are compared with all.
PRODUCTS_AT_ONCE = 600_000


def all_at_once(x: Tensor) -> bool:
    """Whether to do in one piece what stays in a CPU's cache only in small ones."""
    return x.is_cuda


def local_correlation(first_bchw: Tensor, warped_bchw: Tensor) -> Tensor:
    """Products of features with the warped ones at the (2·RADIUS + 1)² shifts around.

    Works in blocks of 8×8 pixels: one matrix product of a block with the block and its
    margin, of which each pixel keeps its own window. Shifts run row by row.

    Returns:
        (b, (2·RADIUS + 1)², h, w), channels last in memory.
    """
    height, width = first_bchw.shape[-2:]
    pad_h, pad_w = -height % BLOCK, -width % BLOCK
    margins = (RADIUS, RADIUS + pad_w, RADIUS, RADIUS + pad_h)
    first = _rows_of_blocks(F.pad(first_bchw, (0, pad_w, 0, pad_h)), BLOCK)
    warped_bchw = warped_bchw.contiguous(memory_format=torch.channels_last)
    second = _rows_of_blocks(F.pad(warped_bchw, margins), BLOCK + 2 * RADIUS)
    if all_at_once(first_bchw):
        rows = torch.split(_windows(torch.cat(first), torch.cat(second)), len(first_bchw))
    else:
        # One row after another: what lies between input and result stays in the cache.
        rows = tuple(_windows(*parts) for parts in zip(first, second, strict=True))
    image = torch.cat(rows, 1).flatten(2, 3)
    return image[:, :height, :width].permute(0, 3, 1, 2)


def _rows_of_blocks(image_bchw: Tensor, side: int) -> tuple[Tensor, ...]:
    """Rows of square blocks, each (b, columns, side, side, c), one every 8 pixels."""
    blocks = image_bchw.unfold(2, side, BLOCK).unfold(3, side, BLOCK)
    return blocks.permute(2, 0, 3, 4, 5, 1).unbind()


def _windows(first: Tensor, second: Tensor) -> Tensor:
    """Products (b, 8, columns, 8, window) of a row of blocks with what lies around each pixel."""
    batch, columns, *_, channels = first.shape
    first, second = (part.reshape(batch * columns, -1, channels) for part in (first, second))
    products_nps = torch.bmm(first, second.transpose(1, 2))
    windows: Tensor = _OwnWindow.apply(products_nps)  # type: ignore[no-untyped-call]
    return windows.view(batch, columns, BLOCK, BLOCK, -1).transpose(1, 2)


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


def window_logits(correlation_bkhw: Tensor, sharpness: Tensor) -> Tensor:
    """Logits (b, h, w, shifts) of the shifts of the window."""
    return sharpness * correlation_bkhw.permute(0, 2, 3, 1).float()


def best_shift(correlation_bkhw: Tensor, sharpness: Tensor) -> tuple[Tensor, Tensor]:
    """The expected shift (b, 2, h, w), and the probabilities of the likeliest and of none.

    Args:
        correlation_bkhw: with each shift of the window.
        sharpness: of the matching.
    """
    # On a CPU a few rows at a time, so that what lies between stays in the cache.
    at_once = correlation_bkhw.shape[2] if all_at_once(correlation_bkhw) else BLOCK
    rows = torch.split(correlation_bkhw, at_once, 2)
    parts = [_best_shift(window_logits(part, sharpness)) for part in rows]
    shift, peak = (torch.cat(part, 2) for part in zip(*parts, strict=True))
    return shift, peak.detach()


def _best_shift(logits_bhwk: Tensor) -> tuple[Tensor, Tensor]:
    probability = logits_bhwk.softmax(-1)
    offsets = torch.arange(-RADIUS, RADIUS + 1, device=probability.device, dtype=torch.float32)
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    with full_precision(probability.device):
        shift = (probability @ torch.stack([x, y], -1).view(-1, 2)).permute(0, 3, 1, 2)
    centre = probability.shape[-1] // 2
    return shift, torch.stack([probability.amax(-1), probability[..., centre]], 1)


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


def _nearest_both_ways(first_bnc: Tensor, second_bmc: Tensor) -> tuple[Nearest, Nearest]:
    """Similarity and index of what in the other image is nearest to each cell, (b, n) and (b, m).

    Every product is made once and serves both ways. A few of the second cells are compared
    with all of the first at a time, so that the products stay in the cache.
    """
    first_bcn = first_bnc.transpose(1, 2)
    if all_at_once(first_bnc):
        products = torch.bmm(second_bmc, first_bcn)
        forward, backward = products.max(1), products.max(2)
        return (forward.values, forward.indices), (backward.values, backward.indices)
    rows = max(PRODUCTS_AT_ONCE // first_bnc.shape[1], 1)
    rows += -rows % 16  # matrix units work on so many
    there: Nearest | None = None
    back: list[Nearest] = []
    for start, part in enumerate(torch.split(second_bmc, rows, 1)):
        products = torch.bmm(part, first_bcn)
        back.append(_largest_of_rows(products))
        best, index = _largest_of_columns(products)
        index = index + start * rows
        if there is not None:
            index = torch.where(best > there[0], index, there[1])
            best = torch.maximum(best, there[0])
        there = best, index
    assert there is not None
    similarity, index = (torch.cat(parts, 1) for parts in zip(*back, strict=True))
    return there, (similarity, index)


def _largest_of_columns(products_bmn: Tensor) -> Nearest:
    """What is largest over m, and where; pooling finds it far faster than `Tensor.max` does."""
    columns_last = products_bmn[:, :, None].permute(0, 3, 1, 2)
    kernel = (products_bmn.shape[1], 1)
    largest, where = F.max_pool2d(columns_last, kernel, return_indices=True)
    return largest.flatten(1), where.flatten(1)


def _largest_of_rows(products_bmn: Tensor) -> Nearest:
    """What is largest over n, and where: among a few candidates that pooling leaves."""
    batch, rows, columns = products_bmn.shape
    groups = math.gcd(columns, 32)
    width = columns // groups
    largest, group = _largest_of_columns(products_bmn.view(batch * rows, groups, width))
    best, column = largest.max(1, keepdim=True)
    index = group.gather(1, column) * width + column
    return best.view(batch, rows), index.view(batch, rows)
