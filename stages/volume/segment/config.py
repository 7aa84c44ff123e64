"""Options of the segment stage."""

from __future__ import annotations

from pydantic import Field

from mvrecon.engine.config import StageConfig


class SegmentConfig(StageConfig):
    """Options of the segment stage."""

    threshold: str = Field(
        "auto",
        description="what is inside: bone, skin or lung (CT only), a value and all above it, a "
        "range LOW,HIGH, or auto (half-way between the two commonest kinds of value)",
    )
    labels: tuple[int, ...] = Field(
        (), description="labels to model, such as 1,4, where the values are labels; none = all"
    )
