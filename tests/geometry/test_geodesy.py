import numpy as np

from mvrecon.geometry.geodesy import local_from_geodetic


def test_a_step_north_east_and_up_has_its_known_length():
    # On WGS 84 at 45° a degree of latitude is 111 132 m, one of longitude 78 847 m.
    step = 1e-3
    places = np.array([[45, 7, 100], [45 + step, 7, 100], [45, 7 + step, 100], [45, 7, 130.0]])
    local = local_from_geodetic(places)
    moved = local - local[0]
    np.testing.assert_allclose(moved[1], [0, 111.132, 0], atol=0.01)
    np.testing.assert_allclose(moved[2], [78.847, 0, 0], atol=0.01)
    np.testing.assert_allclose(moved[3], [0, 0, 30], atol=1e-6)
