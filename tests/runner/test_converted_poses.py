"""The shipped drawn-crowd model on drawn people with CrowdPose's 14 keypoints, by two options.

The metric converts the poses. The file has crowd indices, no areas, and counts visible keypoints.
"""

import json

from pinet_mm import api
from pinet_mm.cli.make_crowdsynth import main as draw
from pinet_mm.cli.test import main as evaluate
from pinet_mm.datasets.evaluation import average_precision
from pinet_mm.datasets.limits import BOUNDS

import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from tests.helpers.shipped import DRAWN

CROWDPOSE = parse_pose_metainfo(dict(from_file='configs/_base_/datasets/crowdpose.py'))
IN_CROWDPOSE = f"""
_base_ = [{str(api.config_path(DRAWN))!r}]
limbs = [(5 + i, i) for i in range(12)]
test_dataloader = dict(
    dataset=dict(metainfo=dict(from_file='configs/_base_/datasets/crowdpose.py')))
test_evaluator = dict(
    pred_converter=dict(
        type='KeypointConverter', num_keypoints=14, mapping=[*limbs, ((5, 6), 13)]))
"""


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp('drawn')
    words = '--images 16 --split test --size 128 128 --persons 2 4 --height 0.7 1.0'
    draw([str(folder), *words.split()])
    return folder


def to_14(points):
    """CrowdPose's keypoints (14, 3) of COCO's (17, 3): arms and legs, and the neck between."""
    neck = points[5:7].mean(axis=0) * points[5:7, 2].all()
    return np.stack((*points[5:17], np.zeros(3), neck))


def crowdpose_file(drawn):
    """The drawn people as a file of CrowdPose's form."""
    data = json.loads((drawn / 'annotations' / 'test.json').read_text())
    people = []
    for each in data['annotations']:
        points = to_14(np.reshape(each['keypoints'], (17, 3)))
        kept = {key: each[key] for key in ('id', 'image_id', 'category_id', 'iscrowd', 'bbox')}
        visible = int((points[:, 2] == 2).sum())
        people.append(dict(kept, keypoints=points.ravel().tolist(), num_keypoints=visible))
    names = list(CROWDPOSE['keypoint_name2id'])
    category = dict(id=1, name='person', supercategory='person', keypoints=names, skeleton=[])
    data = dict(images=data['images'], annotations=people, categories=[category])
    path = drawn / f'{len(names)}.json'
    path.write_text(json.dumps(data))
    return path


def test_poses_of_coco_are_evaluated_on_a_file_of_crowdpose(drawn, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tmp_path / 'in_crowdpose.py'
    config.write_text(IN_CROWDPOSE)
    annotations = crowdpose_file(drawn)
    weights = str(api.shipped_weights(DRAWN))
    words = ('--ann', str(annotations), '--img', str(drawn / 'images' / 'test'))
    files = ('--out', 'out.json', '--json', 'poses.json')
    evaluate([str(config), weights, *words, *files])

    numbers = json.loads((tmp_path / 'out.json').read_text())
    assert numbers['coco/AP'] > 0.2 and numbers['coco/crowd_index_bounds'] == list(BOUNDS)
    assert all(numbers[f'coco/AP({each})'] > 0 for each in 'EMH')
    assert (
        'AP(E), AP(M), AP(H): crowdIndex below 0.2, to 0.8, from 0.8 on' in capfd.readouterr().out
    )
    # The same from the file of the poses, converted here.
    entries = json.loads((tmp_path / 'poses.json').read_text())
    for each in entries:
        points = to_14(np.reshape(each['keypoints'], (17, 3)))
        each.update(keypoints=points.ravel().tolist(), score=points[:, 2].mean())
    (tmp_path / 'poses.json').write_text(json.dumps(entries))
    expected = average_precision(
        tmp_path / 'poses.json', annotations, CROWDPOSE['sigmas'], 'keypoints_crowd'
    )
    assert expected == {
        name: pytest.approx(
            numbers[f'coco/{name.replace("AP50", "AP .5").replace("AP75", "AP .75")}'], abs=1e-4
        )
        for name in expected
    }
