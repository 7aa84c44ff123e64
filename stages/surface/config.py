"""Options of the surface stage."""

from __future__ import annotations

from pydantic import Field

from mvrecon.engine.config import StageConfig


class SurfaceConfig(StageConfig):
    """Options of the surface stage."""

    voxel_size: float = Field(
        0.0, ge=0, description="edge of a voxel; 0 = from the depth maps [world units]"
    )
    resolution: float = Field(
        1.0,
        ge=0.1,
        le=10,
        description="voxels to a depth pixel at the median depth, or to 3/4 of the depth maps' "
        "noise where that is larger, if voxel_size is 0",
    )
    max_blocks: int = Field(
        10_000,
        ge=100,
        le=500_000,
        description="blocks of 8×8×8 voxels at most, 10 kB each; voxels are coarsened to fit",
    )
    truncation: float = Field(
        4.0,
        ge=1.5,
        le=30,
        description="reach of a depth pixel before and behind its surface, widened to three "
        "deviations where depth maps disagree more [voxels]",
    )
    min_confidence: float = Field(
        0.15, ge=0, le=1, description="depth pixels of less confidence are ignored"
    )
    min_views: int = Field(2, ge=1, le=255, description="views that must see a surface [views]")
    min_evidence: float = Field(
        0.7,
        ge=0,
        description="sum of their confidences that a surface needs; higher leaves more holes "
        "and fewer hallucinations",
    )
    trim: float = Field(
        0.005,
        ge=0,
        le=0.05,
        description="width of the rim of things in front that is ignored, as depth fattens them; "
        "0 = none [diagonals of the depth map]",
    )
    completed: bool = Field(
        False,
        description="also build what the fusion stage guessed where no view measured "
        "(fusion.completion); left out by default, and never of high confidence",
    )
    carving: float = Field(
        0.3, ge=0, le=1, description="weight of seen free space relative to seen surface"
    )
    min_piece: float = Field(
        0.005,
        ge=0,
        le=1,
        description="connected pieces with less of the largest one's area are removed [fraction]",
    )
    fill_holes: float = Field(
        4.0, ge=0, le=200, description="holes up to this diameter are closed; 0 = none [voxels]"
    )
    max_faces: int = Field(
        300_000, ge=100, le=20_000_000, description="face budget of the mesh [triangles]"
    )
    max_points: int = Field(
        500_000, ge=100, le=50_000_000, description="point budget of the cloud [points]"
    )
