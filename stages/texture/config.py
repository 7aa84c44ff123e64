"""Options of the texture stage."""

from __future__ import annotations

from pydantic import Field

from mvrecon.engine.config import ADVANCED, OptionGroup, StageConfig


class AtlasOptions(OptionGroup):
    """How the surface is laid out in the plane, and how much of it there is."""

    max_faces: int = Field(
        100_000,
        ge=100,
        le=5_000_000,
        description="face budget of the textured mesh: a finer surface is simplified [triangles]",
    )
    max_texels: int = Field(
        16_777_216,
        ge=4096,
        le=67_108_864,
        description="texel budget of the atlas, gaps included; about 60 bytes of memory each while "
        "it is painted [texels]",
    )
    density: float = Field(
        1.25,
        gt=0,
        le=4,
        description="texels to a pixel of the view that sees a place best, each way",
    )
    padding: int = Field(
        8,
        ge=1,
        le=64,
        description="gap between charts, filled with their colours: mip levels up to its half "
        "do not bleed [texels]",
        json_schema_extra=ADVANCED,
    )


class BlendOptions(OptionGroup):
    """How the colours of several views become one."""

    views: int = Field(
        6, ge=1, le=16, description="views at most that give a place its colour, the best ones"
    )
    sharpness: float = Field(
        1.0,
        ge=0.5,
        le=16,
        description="power of a view's quality in its weight: higher is crisper, lower hides more "
        "of what is inexact",
        json_schema_extra=ADVANCED,
    )
    exposure: bool = Field(
        True, description="even out the brightness and white balance of the views"
    )


class TextureConfig(StageConfig):
    """Options of the texture stage."""

    atlas: AtlasOptions = AtlasOptions()
    blend: BlendOptions = BlendOptions()
    jpeg_quality: int = Field(
        95,
        ge=50,
        le=100,
        description="of the texture in mesh.glb [percent]",
        json_schema_extra=ADVANCED,
    )
