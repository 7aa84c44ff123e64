"""Options of the load stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mvrecon.engine.config import StageConfig


class LoadConfig(StageConfig):
    """Options of the load stage."""

    values: Literal["auto", "hounsfield", "labels", "intensity"] = Field(
        "auto",
        description="what the values are, where the file does not say: hounsfield (CT), labels "
        "(a map of organs), intensity (MR and others)",
    )
    volume: int = Field(
        0, ge=0, description="which volume of a file of four dimensions, from 0 [number]"
    )
    series: int = Field(
        0, ge=0, description="which DICOM series of a folder that holds several, from 1 [number]"
    )
    uneven: Literal["refuse", "interpolate"] = Field(
        "refuse",
        description="what to do with DICOM slices that lie unevenly or are missing: refuse, or "
        "interpolate between their neighbours",
    )
