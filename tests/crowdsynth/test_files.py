"""Data sets of drawn crowds as files: bytes that follow from the seed, COCO fields, the tool."""

import json
import subprocess
import sys
from pathlib import Path

from pinet_mm.cli.make_crowdsynth import main
from pinet_mm.crowdsynth import (
    LAYOUTS,
    draw_crowd,
    write_dataset,
)

import cv2
import numpy as np
import pytest

from tests.helpers.crowds import SMALL

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """Return the folder and the annotations of a small dataset, written by one process."""
    out = tmp_path_factory.mktemp('crowd')
    path, _ = write_dataset(out, SMALL, 20, seed=3, split='val')
    return out, json.loads(path.read_text())


def _files(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(Path(folder).rglob('*'))
        if path.is_file()
    }


# ---- determinism -------------------------------------------------------------------------------


def test_same_arguments_give_the_same_image_and_labels():
    first, again = (draw_crowd(SMALL, seed=5, index=7) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert len(first[1]) == len(again[1]) > 0
    for one, two in zip(first[1], again[1]):
        assert np.array_equal(one.keypoints, two.keypoints) and np.array_equal(one.mask, two.mask)


@pytest.mark.parametrize('other', [(6, 7, 'train'), (5, 8, 'train'), (5, 7, 'val')])
def test_seed_index_and_split_each_change_the_image(other):
    assert not np.array_equal(draw_crowd(SMALL, 5, 7, 'train')[0], draw_crowd(SMALL, *other)[0])


def test_two_workers_write_the_bytes_of_one(dataset, tmp_path):
    write_dataset(tmp_path, SMALL, 20, seed=3, split='val', workers=2)
    assert _files(tmp_path) == _files(dataset[0])


_AFTER_THREADS = """
import sys, types
package = types.ModuleType('pinet_mm')
package.__path__ = [sys.argv[1]]
sys.modules['pinet_mm'] = package
import cv2, numpy
from pinet_mm.crowdsynth import CrowdSettings, write_dataset
cv2.setNumThreads(4)
cv2.GaussianBlur(numpy.zeros((2000, 2000), 'uint8'), (0, 0), 9)
write_dataset(sys.argv[2], CrowdSettings(size=(512, 512)), 2, workers=2)
print(cv2.getNumThreads(), sorted({'torch', 'mmengine', 'scipy'} & set(sys.modules)))
"""


def test_workers_start_beside_busy_opencv_threads_and_need_no_torch(tmp_path):
    # forked processes hang on threads that the parent left them
    done = subprocess.run(
        [sys.executable, '-c', _AFTER_THREADS, ROOT / 'pinet_mm', tmp_path],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '4 []\n', '')
    assert (tmp_path / 'annotations/train.json').exists()


def test_drawing_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].copy()
    draw_crowd(SMALL, 0, 0)
    assert np.array_equal(before, np.random.get_state()[1])


def test_annotations_follow_the_coco_format(dataset):
    out, data = dataset
    assert [image['id'] for image in data['images']] == list(range(20))
    assert [item['id'] for item in data['annotations']] == list(
        range(1, len(data['annotations']) + 1)
    )
    for item in data['annotations']:
        flags = item['keypoints'][2::3]
        assert item['num_keypoints'] == sum(flag > 0 for flag in flags) and len(flags) == 17
        assert item['iscrowd'] == 0 and item['category_id'] == 1
    (category,) = data['categories']
    assert category['keypoints'] == list(LAYOUTS['coco'].names)
    assert [16, 14] in [edge[::-1] for edge in category['skeleton']]
    assert data['info']['settings'] == json.loads(json.dumps(SMALL.as_dict()))
    assert data['info']['seed'] == 3 and data['info']['split'] == 'val'


def test_images_are_there_with_the_size_promised(dataset):
    out, data = dataset
    for image in data['images']:
        pixels = cv2.imread(str(out / 'images/val' / image['file_name']))
        assert pixels.shape == (image['height'], image['width'], 3) == (96, 96, 3)


def test_png_files_hold_the_very_image(tmp_path):
    write_dataset(tmp_path, SMALL, 1, seed=3, suffix='.png')
    image = cv2.imread(str(tmp_path / 'images/train/000000.png'))
    assert np.array_equal(image, draw_crowd(SMALL, 3, 0)[0])


def test_no_annotations_when_an_image_fails(tmp_path, monkeypatch):
    def fail(settings, seed, index, split):
        if index == 2:
            raise RuntimeError('no ink')
        return draw_crowd(settings, seed, index, split)

    monkeypatch.setattr('pinet_mm.crowdsynth.dataset.draw_crowd', fail)
    with pytest.raises(RuntimeError, match='no ink'):
        write_dataset(tmp_path, SMALL, 3)
    assert not (tmp_path / 'annotations').exists()


def test_the_tool_writes_what_its_options_say(tmp_path, capsys):
    main(
        [
            str(tmp_path),
            '--images',
            '2',
            '--size',
            '80',
            '64',
            '--keypoints',
            'crowdpose',
            '--split',
            'test',
            '--preview',
            str(tmp_path / 'sheet.png'),
        ]
    )
    data = json.loads((tmp_path / 'annotations/test.json').read_text())
    assert len(data['categories'][0]['keypoints']) == 14 and data['images'][0]['width'] == 80
    assert (tmp_path / 'sheet.png').stat().st_size > 1000
    assert 'crowd_index_mean' in capsys.readouterr().out


@pytest.mark.parametrize('library', ['pycocotools', 'xtcocotools'])
def test_the_dataset_loads_and_its_polygons_cover_the_masks(dataset, library):
    coco = pytest.importorskip(f'{library}.coco')
    out, data = dataset
    loaded = coco.COCO(str(out / 'annotations/val.json'))
    assert len(loaded.anns) == len(data['annotations']) > 20
    for image_id in loaded.getImgIds():
        persons = draw_crowd(SMALL, 3, image_id, 'val')[1]
        items = loaded.loadAnns(loaded.getAnnIds([image_id]))
        assert len(items) == len(persons)
        for item, person in zip(items, persons):
            mask = loaded.annToMask(item).astype(bool)
            assert (mask & person.mask).sum() / (mask | person.mask).sum() > 0.9
            assert item['area'] == person.area and item['bbox'] == person.bbox.tolist()
