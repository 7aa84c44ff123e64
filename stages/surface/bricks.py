"""The volume cut into cubes of blocks, so that no more of it than wanted is in memory at once.

The cubes lie on one lattice whatever the memory, and neighbours see the same voxels where they
touch: what they make joins without a seam, and is the same for any amount of memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from stages.surface.blocks import BLOCK_VOXELS, Keys, block_rows, sorted_keys
from stages.surface.views import Sight
from stages.surface.volume import BYTES_PER_BLOCK

BRICK_BLOCKS = 32  # along each edge
# A cell of marching cubes reaches one voxel into the next block, along each axis.
NEXT_BLOCKS = np.array(list(product((0, 1), repeat=3))[1:], np.int32)
GIB = 2**30


@dataclass(frozen=True)
class Brick:
    """A cube of the volume.

    Attributes:
        owned_n3: its blocks, sorted.
        border_n3: blocks of other bricks that its cells reach into, sorted.
        center_3: world coordinates.
        radius: of the sphere around it, world units.
    """

    owned_n3: Keys
    border_n3: Keys
    center_3: NDArray[np.float64]
    radius: float

    @property
    def size_bytes(self) -> int:
        """Memory that its voxels take while it is integrated."""
        return BYTES_PER_BLOCK * (len(self.owned_n3) + len(self.border_n3))


def split_into_bricks(keys_n3: Keys, voxel_size: float) -> list[Brick]:
    """Bricks of all blocks, in the order of the lattice.

    Args:
        keys_n3: block coordinates, sorted.
        voxel_size: world units.
    """
    places_b3, brick_n = np.unique(keys_n3 // BRICK_BLOCKS, axis=0, return_inverse=True)
    order_n = np.argsort(brick_n.ravel(), kind="stable")
    starts = np.searchsorted(brick_n.ravel()[order_n], np.arange(1, len(places_b3)))
    edge = voxel_size * BLOCK_VOXELS * BRICK_BLOCKS
    return [
        Brick(
            owned_n3=keys_n3[rows],
            border_n3=_border(keys_n3, keys_n3[rows]),
            center_3=(place_3 + 0.5) * edge,
            radius=edge * np.sqrt(3.0) / 2.0,
        )
        for place_3, rows in zip(places_b3, np.split(order_n, starts), strict=True)
    ]


def _border(keys_n3: Keys, owned_n3: Keys) -> Keys:
    """Blocks among all that the cells of a brick's blocks reach into, without its own."""
    reached_n3 = np.concatenate([owned_n3 + step_3 for step_3 in NEXT_BLOCKS]).astype(np.int64)
    reached_n3 = reached_n3[block_rows(keys_n3, reached_n3) >= 0]
    return sorted_keys(reached_n3[block_rows(owned_n3, reached_n3) < 0])


def batches(bricks: Sequence[Brick], memory_bytes: float) -> Iterator[list[Brick]]:
    """Bricks that follow each other, as many as fit into memory, and one at least."""
    batch: list[Brick] = []
    room = memory_bytes
    for brick in bricks:
        if batch and brick.size_bytes > room:
            yield batch
            batch, room = [], memory_bytes
        batch.append(brick)
        room -= brick.size_bytes
    if batch:
        yield batch


def blocks_of(batch: Sequence[Brick]) -> Keys:
    """All blocks that the bricks need, sorted."""
    keys = [part_n3 for brick in batch for part_n3 in (brick.owned_n3, brick.border_n3)]
    return sorted_keys(np.concatenate(keys).astype(np.int64))


def nearest_sights(bricks: Sequence[Brick], sights: Sequence[Sight]) -> NDArray[np.float64]:
    """Depth (b,) at which the nearest view that may see a brick sees its middle; ∞ if none."""
    nearest_b = np.full(len(bricks), np.inf)
    centers_b3 = np.stack([brick.center_3 for brick in bricks])
    for sight in sights:
        depth_b = np.abs(sight.depth(centers_b3))
        seen_b = sight.may_see(centers_b3, bricks[0].radius)
        nearest_b[seen_b] = np.minimum(nearest_b, depth_b)[seen_b]
    return nearest_b
