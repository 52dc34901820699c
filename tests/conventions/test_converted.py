"""Converted keypoints under the release convention are the ones that are trained.

Keypoints are the toys' five; parts of layout 'three' are head, hands and feet.
"""

from pinet_mm import ReleasePersons

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmpose.datasets.transforms.converting import KeypointConverter
from mmpose.registry import DATASETS

from tests.helpers.merged import person, write
from tests.helpers.toys import FIVE, build_head, build_in_mmpose, codec_config, five_metainfo

POINTS = [(64, 16, 2), (40, 40, 2), (80, 40, 2), (48, 96, 2), (72, 96, 2)]
EXCHANGED = [(0, 0), (1, 2), (2, 1), (3, 4), (4, 3)]


def combined(tmp_path, mapping, options, names=FIVE, points=POINTS):
    """A combined dataset whose one member is converted, and whose crop is the whole image."""
    path = write(tmp_path, [person(1, 1, *points)], list(names))
    cv2.imwrite(str(tmp_path / '1.jpg'), np.full((128, 128, 3), 100, np.uint8))
    whole = dict(input_size=(128, 128), scale_factor=(1, 1), shift_factor=0.0, rotate_factor=0.0)
    release = options.get('convention') == 'release'
    info = dict(
        five_metainfo(),
        keypoint_info={
            i: dict(name=name, id=i, color=[0, 0, 0], type='', swap='')
            for i, name in enumerate(names)
        },
        skeleton_info={},
        sigmas=[0.1] * len(names),
        joint_weights=[1.0] * len(names),
    )
    member = dict(
        type='CocoDataset',
        data_mode='bottomup',
        ann_file=path,
        metainfo=info,
        data_prefix=dict(img=f'{tmp_path}/'),
        pipeline=[dict(type='KeypointConverter', num_keypoints=5, mapping=mapping)],
    )
    pipeline = [
        dict(type='LoadImage'),
        *([dict(type='ReleasePersons')] if release else []),
        dict(whole, type='ReleaseCrop' if release else 'RandomCropAffine'),
        dict(type='RandomInputFlip', prob=0.0),
        dict(type='GenerateTarget', encoder=codec_config(sparse_offsets=True, **options)),
        dict(type='ReleaseHeatmapMask' if release else 'ValidHeatmapMask'),
        dict(type='PackPoseInputs'),
    ]
    settings = dict(
        type='CombinedDataset', metainfo=five_metainfo(), datasets=[member], pipeline=pipeline
    )
    return build_in_mmpose(DATASETS, settings)


def peaks(sample):
    """Channel of heatmaps -> (x, y) of its peak in map pixels, of those that have one."""
    maps = sample.gt_fields.heatmaps.numpy()
    places = {c: np.unravel_index(each.argmax(), each.shape)[::-1] for c, each in enumerate(maps)}
    return {c: tuple(map(int, place)) for c, place in places.items() if maps[c].max() > 0.9}


@pytest.mark.parametrize('options', [dict(), dict(convention='release')])
def test_left_and_right_are_exchanged(tmp_path, options):
    dataset = combined(tmp_path, EXCHANGED, options)
    found = peaks(dataset[0]['data_samples'])
    # Map pixels: the head (16, 4); the left hand is now at (80, 40) / 4, the right at (40, 40) / 4.
    assert {c: found[c] for c in range(5)} == {
        0: (16, 4),
        1: (20, 10),
        2: (10, 10),
        3: (18, 24),
        4: (12, 24),
    }


@pytest.mark.parametrize('options', [dict(), dict(convention='release')])
def test_three_keypoints_become_five_of_which_three_teach(tmp_path, options):
    mapping = [(0, 0), (1, 3), (2, 4)]
    dataset = combined(tmp_path, mapping, options, ('top', 'left', 'right'), POINTS[:3])
    sample = dataset[0]['data_samples']
    # Both feet are labeled at (40, 40) and (80, 40): their center is (60, 40) / 4.
    assert peaks(sample) == {0: (16, 4), 3: (10, 10), 4: (20, 10), 5: (16, 4), 7: (15, 10)}
    weights = sample.gt_fields.heatmap_weights.numpy()
    assert np.flatnonzero(weights.any(axis=(1, 2))).tolist() == [0, 3, 4, 5, 7]


@pytest.mark.parametrize('options', [dict(), dict(convention='release')])
def test_pairs_make_more_keypoints_than_there_are(tmp_path, options):
    # Three keypoints become five; the hands are half-way from the top to left and right, which are
    # the feet: ((64, 16) + (40, 40)) / 8 and ((64, 16) + (80, 40)) / 8.
    mapping = [(0, 0), ((0, 1), 1), ((0, 2), 2), (1, 3), (2, 4)]
    dataset = combined(tmp_path, mapping, options, ('top', 'left', 'right'), POINTS[:3])
    found = peaks(dataset[0]['data_samples'])
    assert {c: found[c] for c in range(5)} == {
        0: (16, 4),
        1: (13, 7),
        2: (18, 7),
        3: (10, 10),
        4: (20, 10),
    }


@pytest.mark.parametrize('options', [dict(), dict(convention='release')])
def test_a_converted_source_trains(tmp_path, options):
    mapping = [(0, 0), (1, 3), (2, 4)]
    dataset = combined(tmp_path, mapping, options, ('top', 'left', 'right'), POINTS[:3])
    head = build_head(layers=0)
    samples = pseudo_collate([dataset[0]])['data_samples']
    features = torch.randn(1, 12, 32, 32, generator=torch.Generator().manual_seed(0))
    losses = head.loss([features], samples)
    sum(losses.values()).backward()
    gradient = torch.cat((head.score_branch.bias.grad, head.part_branch.bias.grad))
    assert gradient.nonzero().flatten().tolist() == [0, 3, 4, 5, 7]
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_a_converted_crowd_without_labels_counts_as_nobody():
    rows = [[1, 2, 2, 3, 4, 2], [5, 6, 2, 7, 8, 2]]
    persons = [
        dict(keypoints=row, bbox=[0, 0, 6, 5], iscrowd=crowd, num_keypoints=2 - 2 * crowd)
        for row, crowd in zip(rows, (0, 1))
    ]
    labels = np.float32(rows).reshape(2, 2, 3)
    loaded = dict(
        raw_ann_info=persons, keypoints=labels[..., :2], keypoints_visible=np.ones((2, 2))
    )
    converted = KeypointConverter(3, [(0, 2), (1, 0)])(loaded)
    found = ReleasePersons()(converted)
    assert found['keypoints'].tolist() == [
        [[3, 4], [0, 0], [1, 2]],
        [[7, 8], [0, 0], [5, 6]],
    ]
    # The second of each pair is a weight: the keypoints that the converter fills teach.
    assert found['keypoints_visible'][..., 0].tolist() == [[1, 0, 1], [0, 0, 0]]
    assert found['keypoints_visible'][..., 1].tolist() == [[1, 0, 1]] * 2
    assert found['area'].tolist() == [30, 30] and found['invalid_segs'] == [None]
