"""What every use of pycolmap has in common: only for use in a child process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pycolmap

# Of all random choices of pycolmap: the same input gives the same result.
SEED = 0


def quieten() -> None:
    """Let pycolmap report errors only."""
    import pycolmap

    pycolmap.logging.minloglevel = int(pycolmap.logging.Level.ERROR.value)


def reproducible_pipeline(
    max_error_px: float, min_angle_deg: float
) -> pycolmap.IncrementalPipelineOptions:
    """Options in one thread: several would change the order of sums, and so the last digits.

    Args:
        max_error_px: largest reprojection error of an observation.
        min_angle_deg: least triangulation angle of a point.
    """
    import pycolmap

    pipeline = pycolmap.IncrementalPipelineOptions()
    pipeline.num_threads = 1
    pipeline.random_seed = SEED
    pipeline.extract_colors = False
    pipeline.mapper.filter_max_reproj_error = max_error_px
    pipeline.mapper.filter_min_tri_angle = min_angle_deg
    pipeline.triangulation.min_angle = min_angle_deg
    return pipeline
