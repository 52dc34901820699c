"""Random arrays for properties that hold for any: poses, people, maps. Needs hypothesis."""

import numpy as np
import pytest

hypothesis = pytest.importorskip(
    'hypothesis', reason="hypothesis is not installed: pip install '.[test]'"
)
from hypothesis import strategies as st  # noqa: E402

# The same examples in every run, none kept in a folder; time depends on the machine.
always = hypothesis.settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
ANY = st.floats(width=32)  # NaN, infinite, subnormal, and 3e38
PIXELS = st.integers(-50, 300).map(float)  # their sums and squares are exact


@st.composite
def arrays(draw, shape, values) -> np.ndarray:
    """Draw an array (float64) of a shape, each number of it by itself."""
    count = int(np.prod(shape))
    drawn = draw(st.lists(values, min_size=count, max_size=count))
    return np.array(drawn, float).reshape(shape)


@st.composite
def poses(draw, values=PIXELS, most: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw keypoints (T, K, 2), their scores (T, K) and those of the poses (T,)."""
    count, num_keypoints = draw(st.integers(0, most)), draw(st.integers(1, 4))
    scores = ANY if values is ANY else st.floats(0, 1, width=16)
    return (
        draw(arrays((count, num_keypoints, 2), values)),
        draw(arrays((count, num_keypoints), scores)),
        draw(arrays((count,), scores)),
    )
