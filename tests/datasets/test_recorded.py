"""Each image against its record as a dataset loads it: size, place, and what follows from both."""

import json
import pickle

from pinet_mm.datasets import recorded
from pinet_mm.datasets.device_images import _Records
from pinet_mm.errors import InputError

import numpy as np
import pytest
from mmpose.registry import DATASETS
from PIL import Image

from tests.helpers.changes import valid, write_images
from tests.helpers.doors import METAINFO
from tests.helpers.toys import build_in_mmpose

BLOCK = [70, 10, 90, 10, 90, 30, 70, 30]  # right of x = 80


def built(folder, data, kind='CocoDataset', test_mode=False, **load):
    """A dataset that only loads images."""
    (folder / 'a.json').write_text(json.dumps(data))
    return build_in_mmpose(
        DATASETS,
        dict(
            type=kind,
            data_root=str(folder),
            ann_file='a.json',
            metainfo=METAINFO,
            data_mode='bottomup',
            test_mode=test_mode,
            pipeline=[dict(type='LoadImage', **load)],
        ),
    )


@pytest.fixture
def folder(tmp_path):
    write_images(tmp_path)
    return tmp_path


@pytest.fixture
def said(monkeypatch):
    """All that is logged."""
    lines = []
    monkeypatch.setattr(recorded, 'print_log', lambda text, *_: lines.append(text))
    monkeypatch.setattr(recorded, '_SAID', set())
    return lines


@pytest.mark.parametrize('kind', ['CocoDataset', 'LabeledCocoDataset', 'MinKeypointsCocoDataset'])
@pytest.mark.parametrize('test_mode', [False, True])
def test_an_image_of_another_size_is_refused_as_it_is_loaded(kind, test_mode, folder, said):
    Image.new('RGB', (64, 48)).save(folder / '2.png')
    dataset = built(folder, valid(), kind, test_mode)
    assert dataset[0]['img'].shape == (80, 100, 3)
    with pytest.raises(InputError) as error:
        dataset[1]
    assert str(error.value).startswith(
        f'{folder}/2.png: expected 100×80 pixels as {folder}/a.json says, found 64×48; '
    )
    with pytest.raises(InputError, match='found 64×48'):  # as the loop on the device reads it
        _Records(dataset, dataset.pipeline.transforms[0])[1]


def test_an_image_without_people_is_compared_too(folder):
    data = valid()
    data['annotations'] = data['annotations'][:2]
    data['images'][2]['width'] = 101
    dataset = built(folder, data, test_mode=True)
    with pytest.raises(InputError, match=r'3\.png: expected 101×80 pixels'):
        dataset[2]


def test_what_exchanged_sizes_clipped_is_put_right_and_said_once(folder, said):
    """Of 80 px width, two people right of it have no box: they count as nobody, to be masked."""
    data = valid()
    for each in data['annotations']:
        each.update(segmentation=[BLOCK])
        del each['area']
    data['annotations'][1].update(bbox=[85, 10, 10, 20])
    data['annotations'][3].update(keypoints=[0] * 15, num_keypoints=0)
    right = [built(folder, data)[i] for i in range(3)]
    for image in data['images']:
        image.update(width=80, height=100)
    dataset = built(folder, data)
    raw = dataset.get_data_info(0)
    assert raw['bbox'][1].tolist() == [79, 10, 79, 30] and len(raw['invalid_segs']) == 1
    for wanted, found in zip(right, (dataset[i] for i in range(3))):
        for key in ('bbox', 'area', 'keypoints', 'img'):
            np.testing.assert_array_equal(found[key], wanted[key])
            assert found[key].dtype == wanted[key].dtype
        assert found['invalid_segs'] == wanted['invalid_segs']
    assert right[0]['bbox'][1].tolist() == [85, 10, 95, 30]
    assert [len(each['invalid_segs']) for each in right] == [0, 1, 0]
    (line,) = said
    assert f'1.png: expected 80×100 pixels as {folder}/a.json says, found 100×80; width' in line


@pytest.mark.parametrize('kind', ['CocoDataset', 'LabeledCocoDataset'])
@pytest.mark.parametrize('test_mode', [False, True])
def test_records_lie_in_what_data_workers_share(kind, test_mode, folder):
    """A dataset without its serialized data has one size for 3 images and for 60."""
    sizes = []
    for copies in (1, 20):
        data = valid()
        data['images'] = [
            dict(each, id=3 * i + each['id'], width=100 + i)
            for i in range(copies)
            for each in data['images']
        ]
        data['annotations'] = [
            dict(each, id=5 * i + each['id'], image_id=3 * i + each['image_id'])
            for i in range(copies)
            for each in data['annotations']
        ]
        dataset = built(folder, data, kind, test_mode)
        records = [dataset.get_data_info(i)['recorded'] for i in range(len(dataset))]
        assert records == [
            ((100 + i // 3, 80), False, f'{folder}/a.json') for i in range(3 * copies)
        ]
        dataset.data_bytes = dataset.data_address = None
        sizes.append(len(pickle.dumps(dataset)))
    assert sizes[0] == sizes[1]


def test_records_without_a_size_are_taken_as_they_are(folder):
    data = valid()
    del data['images'][2]['width']
    data['annotations'] = data['annotations'][:4]  # MMPose reads the size of images with people
    assert built(folder, data, test_mode=True)[2]['img'].shape == (80, 100, 3)


@pytest.mark.parametrize('name', ['../1.png', '/{}/1.png', '../a/../1.png'])
def test_an_image_outside_its_folder_is_not_read_unless_that_is_wanted(name, folder):
    data = valid()
    data['images'][0]['file_name'] = name.format(folder)
    inner = folder / 'a'
    with pytest.raises(InputError, match=r'1\.png: .*inside the image folder.*allow_outside=True'):
        built(inner, data)[0]
    assert built(inner, data, allow_outside=True)[0]['img'].shape == (80, 100, 3)
