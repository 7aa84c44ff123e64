"""Options of the surface stage."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from mvrecon.engine.config import ADVANCED, NOT_IN_KEY, OptionGroup, StageConfig


class DepthOptions(OptionGroup):
    """What of the depth maps is taken."""

    min_confidence: float = Field(
        0.15,
        ge=0,
        le=1,
        description="depth pixels of less confidence are ignored",
        json_schema_extra=ADVANCED,
    )
    trim: float = Field(
        0.005,
        ge=0,
        le=0.05,
        description="width of the rim of things in front that is ignored, as depth fattens them; "
        "0 = none [diagonals of the depth map]",
        json_schema_extra=ADVANCED,
    )
    own_within: float = Field(
        0.03,
        ge=0,
        le=0.5,
        description="relative difference of fused depth to what the view itself measured, up to "
        "which the latter is built: the volume averages the views once more; 0 = fused depth only",
        json_schema_extra=ADVANCED,
    )
    completed: bool = Field(
        False,
        description="also build what the fusion stage guessed where no view measured "
        "(fusion.completion); left out by default, and never of high confidence",
    )


class VolumeOptions(OptionGroup):
    """The voxels in which the depth maps meet, and how much a surface needs to be one."""

    voxel_size: float = Field(
        0.0, ge=0, description="edge of a voxel; 0 = from the depth maps [world units]"
    )
    resolution: float = Field(
        1.0,
        ge=0.1,
        le=10,
        description="voxels to 1.5 depth pixels at the median depth, or to 3/4 of the depth maps' "
        "noise where that is larger, if voxel_size is 0",
    )
    memory: float = Field(
        0.0,
        ge=0,
        le=1024,
        description="memory for voxels; a scene of more is built in bricks, one after the other; "
        "0 = an eighth of the machine's, between 0.25 and 1 [GiB]",
        json_schema_extra=NOT_IN_KEY,
    )
    max_blocks: int = Field(
        60_000,
        ge=100,
        le=50_000_000,
        description="blocks of 8×8×8 voxels at most, which time grows with; voxels are coarsened "
        "to fit",
    )
    min_views: int = Field(2, ge=1, le=255, description="views that must see a surface [views]")
    min_evidence: float = Field(
        0.7,
        ge=0,
        description="sum of their confidences that a surface needs; higher leaves more holes "
        "and fewer hallucinations",
        json_schema_extra=ADVANCED,
    )
    truncation: float = Field(
        4.0,
        ge=1.5,
        le=30,
        description="reach of a depth pixel before and behind its surface, widened to three "
        "deviations where depth maps disagree more [voxels]",
        json_schema_extra=ADVANCED,
    )
    carving: float = Field(
        0.3,
        ge=0,
        le=1,
        description="weight of seen free space relative to seen surface",
        json_schema_extra=ADVANCED,
    )
    see_through: float = Field(
        1.5,
        ge=0,
        le=1000,
        description="what views see through, with something trusted behind, is no surface if their "
        "confidences sum up to more than this many times those of the views that see it",
        json_schema_extra=ADVANCED,
    )


class MeshOptions(OptionGroup):
    """Clean-up of the mesh, and its size."""

    min_piece: float = Field(
        0.005,
        ge=0,
        le=1,
        description="connected pieces with less of the largest one's area are removed [fraction]",
    )
    fill_holes: float = Field(
        4.0, ge=0, le=200, description="holes up to this diameter are closed; 0 = none [voxels]"
    )
    face_density: float = Field(
        1.2,
        ge=0.001,
        le=10,
        description="faces at most for each square of a voxel's edge, where only far views see it "
        "of the coarser voxel that they deserve; most where there is most detail [1 / voxel²]",
    )
    max_faces: int = Field(
        1_000_000, ge=100, le=50_000_000, description="face budget of the mesh [triangles]"
    )


class CloudOptions(OptionGroup):
    """Size of the point cloud."""

    point_density: float = Field(
        1.0,
        ge=0.001,
        le=10,
        description="points at most for each square of a voxel's edge, where only far views see "
        "it of the coarser voxel that they deserve [1 / voxel²]",
    )
    max_points: int = Field(
        1_000_000, ge=100, le=50_000_000, description="point budget of the cloud [points]"
    )


class SurfaceConfig(StageConfig):
    """Options of the surface stage."""

    renamed: ClassVar = {
        name: f"{group}.{name}"
        for group, options in (
            ("depth", DepthOptions),
            ("volume", VolumeOptions),
            ("mesh", MeshOptions),
            ("cloud", CloudOptions),
        )
        for name in options.model_fields
    }

    depth: DepthOptions = DepthOptions()
    volume: VolumeOptions = VolumeOptions()
    mesh: MeshOptions = MeshOptions()
    cloud: CloudOptions = CloudOptions()
