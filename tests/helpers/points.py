"""Random points in and around a map."""

import numpy as np

from tests.helpers.maps import MAP_SIZE


def random_points(rng, *shape):
    return rng.uniform((-4, -4), np.array(MAP_SIZE) + 4, (*shape, 2))
