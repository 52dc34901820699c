"""Parts from the skeleton: worked out by hand on known data sets, and their properties on any."""

import warnings

from pinet_mm.method.derived_parts import parts_of_skeleton
from pinet_mm.method.layouts import PartLayout

import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo


def _layout(dataset):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # MMPose tells that it found its own file
        metainfo = parse_pose_metainfo(dict(from_file=f'configs/_base_/datasets/{dataset}.py'))
    return PartLayout.from_metainfo(metainfo)


def test_an_animal_of_five_keypoints():
    # nose 0, ears 1 and 2, neck 3, tail 4: the tail takes the neck, then the nose the ears
    assert parts_of_skeleton([(0, 1), (0, 2), (0, 3), (3, 4)], [0, 2, 1, 3, 4]) == [
        (0, 1, 2),
        (3, 4),
    ]


def test_coco_has_head_trunk_forearms_and_legs():
    # a part needs 4 of the 17: eyes join the nose and then the ears; elbows and knees their ends
    layout = _layout('coco')
    assert layout.part_names == ('nose', 'left_shoulder', 'left_elbow', 'left_knee')
    assert layout.parts == ((0, 1, 2, 3, 4), (5, 6, 11, 12), (7, 8, 9, 10), (13, 14, 15, 16))


def test_what_nothing_joins_comes_together():
    # of ten keypoints, two pairs are joined; a part needs two
    assert parts_of_skeleton([(0, 1), (2, 3)], range(10)) == [
        (0, 1),
        (2, 3),
        (4, 5),
        (6, 7),
        (8, 9),
    ]
    assert parts_of_skeleton([(0, 1), (2, 3)], range(5)) == [(0, 1, 4), (2, 3)]
    assert parts_of_skeleton([], [0]) == [(0,)]


@pytest.mark.parametrize('dataset', ['crowdpose', 'mpii', 'ap10k', 'coco_wholebody'])
def test_parts_of_data_sets_are_their_own_mirror_images(dataset):
    layout = _layout(dataset)
    assert layout.part_flip_indices == tuple(range(layout.num_parts))
    assert 1 < layout.num_parts <= 5


@pytest.mark.parametrize('seed', range(20))
def test_any_skeleton_gives_each_keypoint_one_part_of_a_fifth_or_more(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 40))
    flips = np.arange(count)
    first, second = rng.permutation(count)[: count // 3 * 2].reshape(2, -1)
    flips[first], flips[second] = second, first
    edges = [tuple(rng.choice(count, 2, replace=False).tolist()) for _ in range(count)]
    parts = parts_of_skeleton(edges, flips)
    assert sorted(sum(parts, ())) == list(range(count))
    assert all(len(part) >= max(2, count / 5) for part in parts)
    assert all({flips[i] for i in part} == set(part) for part in parts)
