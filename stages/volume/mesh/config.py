"""Options of the mesh stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mvrecon.engine.config import StageConfig


class MeshConfig(StageConfig):
    """Options of the mesh stage."""

    min_piece: float = Field(
        0.001,
        ge=0,
        le=1,
        description="pieces and cavities with less of the largest piece's volume are removed "
        "[fraction]",
    )
    smooth: int = Field(
        10,
        ge=0,
        le=100,
        description="passes of smoothing, which moves no vertex by over half a voxel; 0 = none",
    )
    max_faces: int = Field(
        500_000, ge=100, le=20_000_000, description="face budget of all parts together [triangles]"
    )
    axes: Literal["RAS", "LPS"] = Field(
        "RAS",
        description="axes of the mesh: to the patient's right, front, head (RAS), or left, back, "
        "head (LPS, as DICOM has it)",
    )
