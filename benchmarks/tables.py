"""All tables, in the order of the page, and the blocks of them that README and docs hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.measures import (
    clips,
    confidence,
    depth_parts,
    flow,
    held_out,
    stereo,
    texture,
    variants,
    volume_slices,
    volumes,
)
from benchmarks.measures.poses import cameras, comparison, growth, long_input, moving, options
from benchmarks.piece import Row, Table

TABLES: tuple[Table, ...] = (
    clips.TABLE,
    flow.TABLE,
    stereo.TABLE,
    comparison.TABLE,
    options.TABLE,
    variants.TABLE,
    texture.TABLE,
    moving.TABLE,
    cameras.TABLE,
    held_out.TABLE,
    confidence.TABLE,
    *depth_parts.TABLES,
    *volumes.TABLES,
    volume_slices.TABLE,
    growth.TABLE,
    long_input.TABLE,
)

Block = Callable[[Mapping[str, Sequence[Row]], Mapping[str, bool]], str]
BLOCKS: Mapping[str, Block] = {
    "clips": clips.readme_block,
    "found-again": options.found_again_block,
}
