"""Files of optical flow: Middlebury's .flo, Spring's .flo5, KITTI's 16-bit PNG, and PFM."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError, UsageError
from mvrecon.formats.images import read_pixels, write_png

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]

FLO_MAGIC = b"PIEH"
# Middlebury marks unknown flow with larger values than this.
FLO_UNKNOWN_PX = 1e9
# Spring's have 8 million values; a header that promises far more is not believed.
MAX_FLO5_PX = 134_000_000
KITTI_SCALE = np.float32(64)
KITTI_OFFSET = np.float32(32768)
PFM_HEADER = re.compile(rb"(P[Ff])\s+(\d+)\s+(\d+)\s+([-+.\deE]+)\s")
RESTORE = "Restore the file from its data set"


def read_flo(path: Path) -> tuple[FloatImage, Mask]:
    """Read a .flo file (Baker et al., "A Database and Evaluation Methodology for Optical Flow").

    Returns:
        flow_hw2: x then y, pixels; 0 where unknown.
        valid_hw: where it is known.

    Raises:
        InputError: missing, not a .flo file, or cut short.
    """
    data = _read_bytes(path)
    if data[:4] != FLO_MAGIC or len(data) < 12:
        raise InputError(f"{path} is not a .flo file: it does not start with PIEH", RESTORE)
    width, height = (int(size) for size in np.frombuffer(data, "<i4", count=2, offset=4))
    if width < 1 or height < 1:
        raise InputError(f"{path} gives an impossible size, {width}×{height}", RESTORE)
    _check_length(path, len(data), 12 + width * height * 8)
    flow_hw2 = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2).astype(np.float32)
    valid_hw = np.asarray((np.abs(flow_hw2) < FLO_UNKNOWN_PX).all(axis=-1))
    flow_hw2[~valid_hw] = 0
    return flow_hw2, valid_hw


def read_flo5(path: Path) -> tuple[FloatImage, Mask]:
    """Read a .flo5 file of Spring: HDF5 with one array "flow", NaN where unknown.

    Returns:
        flow_hw2: x then y, pixels; 0 where unknown.
        valid_hw: where it is known.

    Raises:
        InputError: missing, not such a file, or larger than any image that is read.
        UsageError: h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise UsageError(
            f"{path} is an HDF5 file", 'Install its reader: pip install "mvrecon[spring]"'
        ) from error
    try:
        with h5py.File(path, "r") as file:
            stored = file["flow"]
            if stored.ndim != 3 or stored.shape[2] != 2 or stored.size > 2 * MAX_FLO5_PX:
                raise InputError(f"{path} gives an impossible size, {stored.shape}", RESTORE)
            flow_hw2 = stored[()].astype(np.float32)
    except (OSError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is not a .flo5 file with an array flow", RESTORE) from error
    valid_hw = np.asarray(np.isfinite(flow_hw2).all(axis=-1))
    flow_hw2[~valid_hw] = 0
    return flow_hw2, valid_hw


def read_kitti_flow(path: Path) -> tuple[FloatImage, Mask]:
    """Read KITTI's flow PNG: 16 bits, value = 64 · flow + 32768, third channel valid.

    Returns:
        flow_hw2: x then y, pixels; 0 where unknown.
        valid_hw: where it is known.

    Raises:
        InputError: missing, or not a 16-bit PNG with three channels.
    """
    bgr_hw3 = _read_png16(path)
    if bgr_hw3.ndim != 3 or bgr_hw3.shape[2] != 3:
        raise InputError(f"{path} is not a KITTI flow PNG: it has no three channels", RESTORE)
    valid_hw = np.asarray(bgr_hw3[..., 0] > 0)
    flow_hw2 = (bgr_hw3[..., :0:-1].astype(np.float32) - KITTI_OFFSET) / KITTI_SCALE
    flow_hw2[~valid_hw] = 0
    return flow_hw2, valid_hw


def write_kitti_flow(path: Path, flow_hw2: FloatImage, valid_hw: Mask | None = None) -> None:
    """Write KITTI's flow PNG; components beyond ±512 px do not fit and become invalid."""
    scaled_hw2 = np.round(flow_hw2 * KITTI_SCALE + KITTI_OFFSET)
    fits_hw2 = (scaled_hw2 >= 0) & (scaled_hw2 <= np.iinfo(np.uint16).max)
    known_hw = np.asarray(fits_hw2.all(axis=-1))
    if valid_hw is not None:
        known_hw &= valid_hw
    rgb_hw3 = np.zeros((*known_hw.shape, 3), np.uint16)
    rgb_hw3[known_hw, :2] = scaled_hw2[known_hw]
    rgb_hw3[..., 2] = known_hw
    write_png(path, rgb_hw3)


def read_kitti_disparity(path: Path) -> tuple[FloatImage, Mask]:
    """Read KITTI's disparity PNG: 16 bits, value = 256 · disparity, 0 = unknown.

    Returns:
        disparity_hw: pixels.
        valid_hw: where it is known.

    Raises:
        InputError: missing, or not a 16-bit PNG with one channel.
    """
    raw_hw = _read_png16(path)
    if raw_hw.ndim != 2:
        raise InputError(f"{path} is not a KITTI disparity PNG: it has several channels", RESTORE)
    return raw_hw.astype(np.float32) / np.float32(256), np.asarray(raw_hw > 0)


def read_pfm(path: Path) -> FloatImage:
    """Read a portable float map, top row first: (h, w) or (h, w, 3).

    Raises:
        InputError: missing, not a PFM file, or cut short.
    """
    data = _read_bytes(path)
    header = PFM_HEADER.match(data)
    if header is None:
        raise InputError(f"{path} is not a PFM file: its header is not understood", RESTORE)
    width, height = int(header[2]), int(header[3])
    shape = (height, width, 3) if header[1] == b"PF" else (height, width)
    _check_length(path, len(data), header.end() + 4 * int(np.prod(shape)))
    # The sign of the scale tells the byte order; rows are stored bottom first.
    dtype = "<f4" if header[4].startswith(b"-") else ">f4"
    rows = np.frombuffer(data, dtype, offset=header.end()).reshape(shape)
    return np.ascontiguousarray(rows[::-1]).astype(np.float32)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})", RESTORE) from error


def _check_length(path: Path, found: int, expected: int) -> None:
    if found != expected:
        what = f"{path} has {found} bytes where its header promises {expected}"
        raise InputError(what, RESTORE)


def _read_png16(path: Path) -> NDArray[np.uint16]:
    pixels = read_pixels(path, "stored")
    if pixels.dtype != np.uint16:
        raise InputError(f"{path} is not a 16-bit PNG", RESTORE)
    return pixels
