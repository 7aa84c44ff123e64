"""The text of `--pose.scale`: what is known of the true size."""

from __future__ import annotations

import math
from dataclasses import dataclass

FORMS = (
    "auto, none, points:X,Y,Z:X,Y,Z:METRES, pixels:FRAME@X,Y:FRAME@X,Y:METRES, "
    "baseline:FRAME:FRAME:METRES or height:METRES"
)


@dataclass(frozen=True)
class Spot:
    """A pixel of a key frame's published image."""

    frame: str
    x_px: float
    y_px: float


@dataclass(frozen=True)
class PointDistance:
    """Metres between two points, given in the world without a scale."""

    first_xyz: tuple[float, float, float]
    second_xyz: tuple[float, float, float]
    metres: float


@dataclass(frozen=True)
class PixelDistance:
    """Metres between what two pixels show."""

    first: Spot
    second: Spot
    metres: float


@dataclass(frozen=True)
class Baseline:
    """Metres between two cameras, by the names of their key frames."""

    first: str
    second: str
    metres: float


@dataclass(frozen=True)
class CameraHeight:
    """Metres from the ground to the cameras."""

    metres: float


KnownLength = PointDistance | PixelDistance | Baseline | CameraHeight


def parse_scale(text: str) -> KnownLength | None:
    """What is known; None for `auto` and `none`.

    Raises:
        ValueError: the text has none of the forms.
    """
    kind, *parts = text.split(":")
    try:
        match kind, parts:
            case (("auto" | "none"), []):
                return None
            case "points", [first, second, metres]:
                return PointDistance(_xyz(first), _xyz(second), _metres(metres))
            case "pixels", [first, second, metres]:
                return PixelDistance(_spot(first), _spot(second), _metres(metres))
            case "baseline", [first, second, metres]:
                return Baseline(first, second, _metres(metres))
            case "height", [metres]:
                return CameraHeight(_metres(metres))
    except ValueError:
        pass
    raise ValueError(FORMS)


def _metres(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(text)
    return value


def _xyz(text: str) -> tuple[float, float, float]:
    x, y, z = (float(part) for part in text.split(","))
    return x, y, z


def _spot(text: str) -> Spot:
    frame, place = text.split("@")
    x, y = (float(part) for part in place.split(","))
    return Spot(frame, x, y)
