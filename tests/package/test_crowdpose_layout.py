"""The shipped model of drawn crowds on a file as CrowdPose's are: crowd indices, no areas."""

import json

from pinet_mm.cli.test import main
from pinet_mm.crowdsynth import CrowdSettings, write_dataset
from pinet_mm.datasets.evaluation import average_precision

import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from tests.helpers.shipped import DRAWN


@pytest.fixture
def crowd(tmp_path):
    """Six images, of which two each are easy, medium and hard."""
    settings = CrowdSettings(size=(128, 128), persons=(2, 3), height=(0.7, 1.0))
    path, _ = write_dataset(tmp_path / 'crowd', settings, 6, split='test')
    data = json.loads(path.read_text())
    for image, index in zip(data['images'], (0.05, 0.19, 0.2, 0.79, 0.8, 1)):
        image['crowdIndex'] = index
    for each in data['annotations']:
        del each['area'], each['segmentation']
        each['num_keypoints'] = each['keypoints'][2::3].count(2)  # CrowdPose's files count these
    (tmp_path / 'a.json').write_text(json.dumps(data))
    return tmp_path


def precision(folder, images):
    """AP of the written poses on some of the images, as an evaluation of their own."""
    data, poses = (json.loads((folder / name).read_text()) for name in ('a.json', 'poses.json'))
    ids = {data['images'][i]['id'] for i in images}
    kept = [each for each in data['annotations'] if each['image_id'] in ids]
    named = [each for each in data['images'] if each['id'] in ids]
    (folder / 'b.json').write_text(json.dumps(dict(data, images=named, annotations=kept)))
    found = [each for each in poses if each['image_id'] in ids]
    (folder / 'found.json').write_text(json.dumps(found))
    sigmas = parse_pose_metainfo(dict(from_file='configs/_base_/datasets/coco.py'))['sigmas']
    both = (folder / 'found.json', folder / 'b.json')
    return average_precision(*both, sigmas, 'keypoints_crowd')['AP']


def test_easy_medium_and_hard_images_have_their_ap_and_their_bounds(crowd, capsys):
    images = crowd / 'crowd' / 'images' / 'test'
    files = ('--out', crowd / 'm.json', '--json', crowd / 'poses.json')
    words = [DRAWN, '--ann', crowd / 'a.json', '--img', images, '--work-dir', crowd / 'w', *files]
    main([str(word) for word in words])
    found = json.loads((crowd / 'm.json').read_text())
    assert found['coco/AP'] == pytest.approx(precision(crowd, range(6)), abs=1e-6)
    for name, pair in (('E', (0, 1)), ('M', (2, 3)), ('H', (4, 5))):
        assert found[f'coco/AP({name})'] == pytest.approx(precision(crowd, pair), abs=1e-4)
    assert found['coco/AP'] > 0.2
    assert found['coco/crowd_index_bounds'] == [0.2, 0.8]
    assert 'crowdIndex below 0.2, to 0.8, from 0.8 on' in capsys.readouterr().out
