"""Targets of a batch equal those that the codec makes of its images one by one."""

from pinet_mm.method.batch_targets import People, disc_offsets
from pinet_mm.models.batch_encoding import encode_batch
from pinet_mm.models.codec import OFFSET_KEYS

import numpy as np
import pytest
import torch

from tests.helpers.codecs import INPUT_SIZE, make_codec, random_layout

MOST = 6  # people per image


def draw_people(rng, count, k):
    """Keypoints partly outside the input, half of them labeled, some areas below `min_area`."""
    w, h = INPUT_SIZE
    return (
        rng.normal((w / 2, h / 2), (w / 3, h / 3), (count, k, 2)).astype(np.float32),
        rng.random((count, k)) < 0.5,
        rng.uniform(0.1, 900, count).astype(np.float32),
    )


def batch_of(images):
    """Pad the people of images to one batch."""
    b, k = len(images), images[0][0].shape[1]
    keypoints, labeled = torch.zeros(b, MOST, k, 2), torch.zeros(b, MOST, k, dtype=torch.bool)
    areas = torch.ones(b, MOST)
    for i, (points, labels, sizes) in enumerate(images):
        keypoints[i, : len(points)] = torch.from_numpy(points)
        labeled[i, : len(points)] = torch.from_numpy(labels)
        areas[i, : len(points)] = torch.from_numpy(sizes)
    return People(keypoints, labeled, areas)


@pytest.mark.parametrize('k, m, min_area', ((5, 1, 0), (17, 3, 100), (133, 6, 0)))
def test_a_batch_is_encoded_as_its_images_are(k, m, min_area):
    codec = make_codec(random_layout(k, m), sparse_offsets=True, min_area=min_area)
    rng = np.random.default_rng(4)
    images = [draw_people(rng, count, k) for count in (3, 0, MOST, 1)]
    declared = np.ones((4, k), dtype=bool)
    declared[2:] = rng.random((2, k)) < 0.6
    mask = torch.ones(4, 1, *codec.heatmap_size[::-1], dtype=torch.bool)
    found = encode_batch(codec, batch_of(images), torch.from_numpy(declared), mask)
    offsets = found.offsets
    assert len(offsets.pixels) > 20
    for i, (keypoints, labeled, areas) in enumerate(images):
        wanted = codec.encode(keypoints, labeled, areas, labeled_keypoints=declared[i])
        mine = offsets.pixels[:, 0] == i
        np.testing.assert_array_equal(wanted['target_pixels'], offsets.pixels[mine, 1:])
        pairs = [
            (found.heatmaps[i], 'heatmaps'),
            (found.heatmap_weights[i], 'heatmap_weights'),
            *zip((each[mine] for each in offsets[1:]), OFFSET_KEYS[1:]),
        ]
        for value, name in pairs:
            np.testing.assert_allclose(value, wanted[name], rtol=1e-5, atol=2e-5, err_msg=name)


def test_the_smaller_person_takes_a_pixel_and_of_equal_ones_the_first():
    centers = torch.tensor([[[[5.0, 4]], [[5.0, 4]], [[5.0, 4]]]])
    keypoints = torch.tensor([[[[1.0, 1]], [[2.0, 2]], [[3.0, 3]]]])
    drawn = torch.ones(1, 3, 1, dtype=torch.bool)
    for areas, owner in (((9.0, 4, 16), 2), ((9.0, 9, 9), 1), ((9.0, 4, 4), 2)):
        found = disc_offsets(
            centers, drawn, keypoints, drawn, torch.tensor([areas]), (8, 8), radius=1
        )
        # A disc of radius 1 holds the center and its four neighbors.
        assert found.pixels.tolist() == [
            [0, 0, y, x] for y, x in ((3, 5), (4, 4), (4, 5), (4, 6), (5, 5))
        ]
        assert (found.offsets[2] == torch.tensor([5.0 - owner, 4 - owner])).all()
        assert found.areas.tolist() == [min(areas)] * 5


def test_the_other_convention_is_refused():
    codec = make_codec(random_layout(5, 1), convention='release')
    people = batch_of([draw_people(np.random.default_rng(0), 1, 5)])
    with pytest.raises(ValueError, match="found a codec with convention='release'"):
        encode_batch(codec, people, torch.ones(1, 5, dtype=torch.bool), None)
