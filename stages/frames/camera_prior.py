"""Intrinsics before any mapping: given by the user, from EXIF, or a usual lens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mvrecon.artifacts.frames import CameraPrior
from mvrecon.errors import UsageError
from mvrecon.formats.images import ImageHeader
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.resize import fit_size

# Of the longer side. Phones have 0.72 (26 mm equivalent), their stabilised, cropped video
# about 0.9, cameras with a 35 mm lens 0.97; mapping refines it from there.
DEFAULT_FOCAL = 0.9
# Of the longer side: fish-eye … long telephoto; anything else is a mistake.
FOCAL_BOUNDS = (0.2, 20.0)
SAME_SHAPE = 0.01  # relative difference of width : height that rounding leaves
WANTED = "Give --frames.camera in pixels of the upright original frames"


def make_priors(
    headers: Mapping[int, ImageHeader], given: Sequence[float] | None, longest_px: int
) -> tuple[tuple[CameraPrior, ...], dict[int, int], list[str]]:
    """Priors of the key frames as they are stored; frames with equal ones share a camera.

    Args:
        headers: of the originals, by index of the frame.
        given: the user's intrinsics (see `make_camera`); they belong to originals of the
            commonest size, and hold for others of the same shape.
        longest_px: bound of the stored frames' longer side.

    Returns:
        The cameras; the camera's number by index of the frame; warnings.

    Raises:
        UsageError: the given intrinsics do not suit the frames.
    """
    sizes = Counter(header.size for header in headers.values())
    camera = make_camera(given, sizes.most_common(1)[0][0]) if given else None
    priors = {index: _prior(header, camera, longest_px) for index, header in headers.items()}
    cameras = tuple(dict.fromkeys(priors.values()))
    without = sum(prior.source != "given" for prior in priors.values()) if given else 0
    warnings = (
        [f"--frames.camera does not hold for {without} key frames of another shape"]
        if without
        else []
    )
    return cameras, {index: cameras.index(prior) for index, prior in priors.items()}, warnings


def make_camera(numbers: Sequence[float], size: tuple[int, int]) -> Camera:
    """Camera of the original frames from what the user gave.

    Args:
        numbers: focal length, or fx, fy, cx, cy, or these and k1, k2, p1, p2.
        size: (width, height) of the upright original frames.

    Raises:
        UsageError: these are not intrinsics of such frames.
    """
    width, height = size
    if len(numbers) == 1:
        numbers = [numbers[0], numbers[0], (width - 1) / 2, (height - 1) / 2]
    fx, fy, cx, cy = numbers[:4]
    lowest, highest = (bound * max(size) for bound in FOCAL_BOUNDS)
    if not (lowest <= fx <= highest and lowest <= fy <= highest):
        raise UsageError(
            f"a focal length of {fx:g}, {fy:g} px does not suit frames of {width}×{height} px",
            WANTED,
        )
    if not (0 <= cx < width and 0 <= cy < height):
        raise UsageError(
            f"the principal point {cx:g}, {cy:g} lies outside frames of {width}×{height} px",
            WANTED,
        )
    return Camera(width, height, fx, fy, cx, cy, tuple(numbers[4:]))


def _prior(header: ImageHeader, given: Camera | None, longest_px: int) -> CameraPrior:
    stored = fit_size(header.size, longest_px)
    if given and _same_shape((given.width, given.height), header.size):
        return CameraPrior(given.scaled(*stored), "given")
    width, height = header.size
    focal_px = header.focal_px or DEFAULT_FOCAL * max(header.size)
    camera = Camera(width, height, focal_px, focal_px, (width - 1) / 2, (height - 1) / 2)
    return CameraPrior(camera.scaled(*stored), "exif" if header.focal_px else "default")


def _same_shape(first: tuple[int, int], second: tuple[int, int]) -> bool:
    return abs(first[0] * second[1] / (first[1] * second[0]) - 1) < SAME_SHAPE
