"""Metainfo of a checkpoint that has another form than MMPose's is refused in one line."""

from pinet_mm.checkpoints import read_checkpoint
from pinet_mm.errors import CheckpointError

import numpy as np
import pytest
import torch
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from tests.helpers.toys import five_metainfo


@pytest.fixture
def read(tmp_path):
    """Read a checkpoint that was written with this metainfo."""
    path = tmp_path / 'a.pth'

    def of(metainfo):
        content = dict(state_dict={'a': torch.zeros(1)}, meta=dict(dataset_meta=metainfo))
        torch.save(content, path)
        return read_checkpoint(path).meta

    return of


@pytest.mark.parametrize(
    'name, value, message',
    [
        ('keypoint_id2name', 5, 'the names of keypoints from 0 on; found 5'),
        ('keypoint_id2name', {1: 'a'}, 'the names of keypoints from 0 on; found {1: '),
        ('keypoint_id2name', {0: 5}, 'the names of keypoints from 0 on; found {0: 5}'),
        ('flip_indices', 5, 'a number below 5 for each keypoint; found 5'),
        ('flip_indices', [0, 1, 2, 3], 'a number below 5 for each keypoint; found'),
        ('flip_indices', [0, 1, 2, 3, 5], 'a number below 5 for each keypoint; found'),
        ('flip_indices', [0, 1, 2, 3, -1], 'a number below 5 for each keypoint; found'),
        ('sigmas', ['a'] * 5, 'a number for each keypoint; found'),
        ('sigmas', [0.1] * 4 + [float('nan')], 'a number for each keypoint; found'),
        ('sigmas', [[0.1]] * 5, 'a number for each keypoint; found'),
        ('keypoint_colors', [[1, 2]] * 5, '3 numbers for each keypoint; found'),
        ('skeleton_links', [[0, 9]], '2 numbers below 5 for each link; found'),
        ('skeleton_links', [[0], [1, 2]], '2 numbers below 5 for each link; found'),
    ],
)
def test_another_form_is_refused(name, value, message, read):
    metainfo = dict(parse_pose_metainfo(five_metainfo()), **{name: value})
    with pytest.raises(CheckpointError, match=f'a.pth cannot be used: {name} must be {message}'):
        read(metainfo)


@pytest.mark.parametrize('metainfo', [5, 'text', [1]])
def test_what_is_no_metainfo_is_refused(metainfo, read):
    with pytest.raises(CheckpointError, match='dataset_meta must be a mapping; found'):
        read(metainfo)


def test_none_and_what_other_packages_write_is_kept(read):
    assert read(None) == {}
    assert read(dict(classes=('cat',), palette=[])) == {
        'dataset_meta': dict(classes=('cat',), palette=[])
    }


def test_metainfo_without_links_is_read(read):
    metainfo = dict(parse_pose_metainfo(five_metainfo()), skeleton_links=[])
    metainfo['skeleton_link_colors'] = np.zeros((0, 3), np.uint8)
    assert read(metainfo)['dataset_meta']['skeleton_links'] == []
