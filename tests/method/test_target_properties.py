"""What holds for the targets of any people: centers, heatmaps, owners of pixels, offsets."""

from pinet_mm.method.targets import claim_pixels, disc_offsets, draw_gaussians, part_centers

import numpy as np

from tests.helpers.properties import always, arrays, hypothesis, st

given = hypothesis.given
SIZES = st.tuples(st.integers(1, 20), st.integers(1, 20))
# Also far outside of the map; quarters, so that squared distances are exact.
PLACES = st.one_of(st.integers(-40, 120).map(lambda each: each / 4), st.sampled_from([-1e6, 1e6]))


@st.composite
def people(draw, num_parts=2):
    """Draw places (N, M, 2), which of them count (N, M), and areas (N,)."""
    count = draw(st.integers(0, 4))
    places = draw(arrays((count, num_parts, 2), PLACES))
    drawn = draw(arrays((count, num_parts), st.booleans())) > 0
    return places, drawn, draw(arrays((count,), st.integers(1, 3).map(float)))


@always
@given(people(num_parts=4), st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1))
def test_centers_lie_between_their_keypoints(found, members):
    keypoints, labeled, _ = found
    membership = np.array(members)
    centers, defined = part_centers(keypoints, labeled, membership)
    for n, m in np.ndindex(*defined.shape):
        own = keypoints[n][labeled[n] & membership[m]]
        assert defined[n, m] == (len(own) > 0)
        if len(own):
            np.testing.assert_allclose(centers[n, m], own.mean(axis=0), atol=1e-6)


@always
@given(people(), SIZES, st.sampled_from([0.3, 1.0, 2.0]))
def test_heatmaps_are_the_largest_gaussian(found, size, sigma):
    points, drawn, _ = found
    maps = np.zeros((2, *size[::-1]), np.float32)
    draw_gaussians(maps, points, drawn, sigma)
    assert maps.min() >= 0 and maps.max() <= 1
    y, x = np.mgrid[: size[1], : size[0]]
    for m in range(2):
        squared = [(x - px) ** 2 + (y - py) ** 2 for px, py in points[drawn[:, m], m]]
        best = np.exp(-np.min(squared, axis=0) / sigma**2) if squared else np.zeros(size[::-1])
        # Windows end beyond three sigmas.
        np.testing.assert_allclose(maps[m], best, atol=np.exp(-9) + 1e-6)


def owner_of(x, y, part, found, radius):
    """Return who owns a pixel: of those whose center is near, the smallest, then the first."""
    centers, drawn, areas = found
    near = [
        (areas[n], n)
        for n in np.flatnonzero(drawn[:, part])
        if (x - centers[n, part, 0]) ** 2 + (y - centers[n, part, 1]) ** 2 <= radius
    ]
    return min(near)[1] if near else None


@always
@given(people(), SIZES, st.sampled_from([0.5, 2.0, 7.25]))
def test_every_pixel_has_the_smallest_near_owner(found, size, radius):
    pixels, person = claim_pixels(*found, size, radius)
    claimed = {tuple(pixel): owner for pixel, owner in zip(pixels.tolist(), person.tolist())}
    assert len(claimed) == len(pixels) and sorted(claimed) == [
        tuple(each) for each in pixels.tolist()
    ]
    for part, y, x in np.ndindex(2, *size[::-1]):
        assert claimed.get((part, y, x)) == owner_of(x, y, part, found, radius)


@always
@given(people(), SIZES)
def test_offsets_lead_back_to_the_keypoints(found, size):
    keypoints, present, areas = found
    targets = disc_offsets(keypoints, present, keypoints, present, areas, size, 2.0)
    for (_, y, x), offsets, weights in zip(targets.pixels, targets.offsets, targets.weights):
        used = weights > 0
        back = np.array([x, y]) - offsets[used]
        owners = [n for n in range(len(areas)) if (present[n] == used).all()]
        assert any(np.allclose(back, keypoints[n][used], rtol=1e-6, atol=1e-3) for n in owners)
    assert np.isfinite(targets.offsets).all() and (targets.weights >= 0).all()
