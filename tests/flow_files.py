"""Flow files of formats that the library only reads."""

import h5py
import numpy as np

from mvrecon.formats.flow import FLO_MAGIC, FLO_UNKNOWN_PX


def write_flo(path, flow_hw2, valid_hw=None):
    """Write a .flo file; unknown pixels get Middlebury's mark."""
    marked_hw2 = flow_hw2.astype("<f4")
    if valid_hw is not None:
        marked_hw2[~valid_hw] = FLO_UNKNOWN_PX * 10
    size = np.array([flow_hw2.shape[1], flow_hw2.shape[0]], "<i4")
    path.write_bytes(FLO_MAGIC + size.tobytes() + marked_hw2.tobytes())


def write_pfm(path, image):
    """Write a portable float map of (h, w) or (h, w, 3), top row first."""
    kind = "PF" if image.ndim == 3 else "Pf"
    header = f"{kind}\n{image.shape[1]} {image.shape[0]}\n-1.0\n"
    path.write_bytes(header.encode() + np.ascontiguousarray(image[::-1], "<f4").tobytes())


def write_flo5(path, flow_hw2):
    """Write Spring's form of flow."""
    with h5py.File(path, "w") as file:
        file.create_dataset("flow", data=flow_hw2.astype("<f4"), compression="gzip")
