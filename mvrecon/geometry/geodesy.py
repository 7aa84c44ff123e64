"""Places on the Earth as local coordinates in metres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# WGS 84.
EQUATOR_M = 6378137.0
FLATTENING = 1.0 / 298.257223563


def local_from_geodetic(geodetic_n3: FloatArray) -> FloatArray:
    """East, north and up (n, 3) in metres from the median of the places.

    Args:
        geodetic_n3: latitude and longitude [degrees, WGS 84], altitude [m].
    """
    origin_3 = np.median(geodetic_n3, axis=0)
    latitude, longitude = np.radians(origin_3[:2])
    east = np.array([-np.sin(longitude), np.cos(longitude), 0.0])
    up = np.array(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ]
    )
    local_from_earth_33 = np.stack([east, np.cross(up, east), up])
    earth_n3 = _earth_centred(geodetic_n3) - _earth_centred(origin_3[None])
    return np.asarray(earth_n3 @ local_from_earth_33.T)


def _earth_centred(geodetic_n3: FloatArray) -> FloatArray:
    """B. Hofmann-Wellenhof et al., "GNSS", 2008, eq. 8.4."""
    latitude, longitude = np.radians(geodetic_n3[:, 0]), np.radians(geodetic_n3[:, 1])
    altitude_m = geodetic_n3[:, 2]
    eccentricity_2 = FLATTENING * (2.0 - FLATTENING)
    normal_m = EQUATOR_M / np.sqrt(1.0 - eccentricity_2 * np.sin(latitude) ** 2)
    return np.stack(
        [
            (normal_m + altitude_m) * np.cos(latitude) * np.cos(longitude),
            (normal_m + altitude_m) * np.cos(latitude) * np.sin(longitude),
            (normal_m * (1.0 - eccentricity_2) + altitude_m) * np.sin(latitude),
        ],
        axis=1,
    )
