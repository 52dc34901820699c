"""Annotation files of a run: sizes of images, other classes of datasets, several processes."""

import json

from pinet_mm.errors import InputError
from pinet_mm.runner import first_process
from pinet_mm.runner.annotations import check_annotations

import pytest
from mmengine.config import Config
from PIL import Image

from tests.helpers.changes import NAMES, valid, write_images
from tests.helpers.doors import METAINFO

IGNORED = 'color_ignore_orientation'


def config(folder, kind='CocoDataset', data=None):
    """A config that trains on a.json of a folder, beside which its images are."""
    write_images(folder)
    (folder / 'a.json').write_text(json.dumps(valid() if data is None else data))
    dataset = dict(type=kind, data_root=str(folder), ann_file='a.json', metainfo=METAINFO)
    return Config(dict(work_dir=str(folder / 'work'), train_dataloader=dict(dataset=dataset)))


@pytest.fixture
def said(monkeypatch):
    """All that is logged."""
    lines = []
    monkeypatch.setattr(first_process, 'print_log', lambda text, *_: lines.append(text))
    return lines


# --- sizes and places of images ------------------------------------------------------------------


def test_swapped_sizes_are_put_right_before_the_run_with_one_line(tmp_path, said):
    data = valid()
    for image in data['images']:
        image.update(width=80, height=100)
    cfg = config(tmp_path, data=data)
    check_annotations(cfg, 'train_dataloader')
    with open(cfg.train_dataloader.dataset.ann_file) as file:
        assert json.load(file) == valid()
    (line,) = said
    assert 'image 1, 2, 3: width, height: expected' in line
    assert 'found 80×100, the file has 100×80; width and height change places' in line


@pytest.mark.parametrize('is_outer', [False, True])
@pytest.mark.parametrize('color_type, size', [('color', (80, 100)), (IGNORED, (100, 80))])
def test_a_turned_photograph_has_the_size_that_the_pipeline_loads(
    color_type, size, is_outer, tmp_path
):
    cfg = config(tmp_path)
    turned = Image.Exif()
    turned[0x0112] = 6  # stored as 100×80, shown as 80×100
    for name in ('1.png', '2.png', '3.png'):
        Image.new('RGB', (100, 80)).save(tmp_path / name, exif=turned)
    dataset = cfg.train_dataloader.dataset
    steps = [dict(type='Compose', transforms=[dict(type='LoadImage', color_type=color_type)])]
    if is_outer:
        outer = dict(type='CombinedDataset', datasets=[dataset], pipeline=steps)
        cfg.train_dataloader.dataset = outer
        (dataset,) = cfg.train_dataloader.dataset.datasets
    else:
        dataset.pipeline = steps
    check_annotations(cfg, 'train_dataloader')
    with open(tmp_path / dataset.ann_file) as file:
        sizes = {(each['width'], each['height']) for each in json.load(file)['images']}
    assert sizes == {size}


def test_annotations_of_another_size_are_refused_before_the_run(tmp_path):
    data = valid()
    data['images'][1].update(width=200, height=160)
    with pytest.raises(InputError, match='image 2: width, height: .*found 200×160, the file has'):
        check_annotations(config(tmp_path, data=data), 'train_dataloader')


def test_images_elsewhere_are_asked_for(tmp_path, said):
    data = valid()
    (tmp_path / 'here').mkdir()
    data['images'][0]['file_name'] = '../1.png'
    write_images(tmp_path)
    cfg = config(tmp_path / 'here', data=data)
    with pytest.raises(InputError, match=r"image 1: file_name: .* '\.\./1\.png'.*--allow-outside"):
        check_annotations(cfg, 'train_dataloader')
    check_annotations(cfg, 'train_dataloader', allow_outside=True)
    assert not said and cfg.train_dataloader.dataset.ann_file == 'a.json'


# --- other classes -------------------------------------------------------------------------------


def test_a_class_that_reads_coco_is_checked_with_its_own_keypoints(tmp_path, said):
    data = valid()
    data['annotations'][0]['keypoints'] = [1, 2, 2] * 4
    with pytest.raises(InputError, match='annotation 1: keypoints: expected 3 numbers'):
        check_annotations(config(tmp_path, 'AicDataset', data), 'train_dataloader')


def test_a_class_with_fields_of_its_own_has_images_and_ids_checked(tmp_path, said):
    data = valid()
    data['annotations'][0]['keypoints'] = [1, 2, 2] * 4  # beside which it reads hands and face
    check_annotations(config(tmp_path, 'CocoWholeBodyDataset', data), 'train_dataloader')
    (line,) = said
    assert line.endswith(
        'a.json: images and ids are checked; the fields of its people are left to '
        'CocoWholeBodyDataset'
    )
    data['annotations'][1]['id'] = 1
    with pytest.raises(InputError, match='annotation 1, 1: id: expected an id of its own'):
        check_annotations(config(tmp_path, 'CocoWholeBodyDataset', data), 'train_dataloader')


def test_files_of_another_format_are_said_to_be_unchecked(tmp_path, said):
    cfg = config(tmp_path, 'MpiiDataset', [dict(image='1.jpg', center=[1, 2], scale=1.0)])
    check_annotations(cfg, 'train_dataloader')
    cfg = config(tmp_path, 'Human36mDataset')
    check_annotations(cfg, 'train_dataloader')
    assert [line.partition(': ')[2] for line in said] == [
        f'not checked, since {name} reads files of another format than COCO'
        for name in ('MpiiDataset', 'Human36mDataset')
    ]


# --- several processes ---------------------------------------------------------------------------


@pytest.mark.parametrize('variable', ['LOCAL_RANK', 'RANK', 'SLURM_LOCALID'])
def test_the_first_process_writes_and_speaks_for_all(variable, tmp_path, said, monkeypatch):
    for name in first_process.RANKS:
        monkeypatch.delenv(name, raising=False)
    data = valid()
    data['categories'][0]['id'] = 9
    for each in data['annotations']:
        each['category_id'] = 9
    monkeypatch.setenv(variable, '1')
    second = config(tmp_path, data=data)
    check_annotations(second, 'train_dataloader')
    target = second.train_dataloader.dataset.ann_file
    assert not said and not (tmp_path / 'work').exists()
    monkeypatch.setenv(variable, '0')
    first = config(tmp_path, data=data)
    check_annotations(first, 'train_dataloader')
    assert first.train_dataloader.dataset.ann_file == target
    assert len(said) == 1
    with open(target) as file:
        assert json.load(file)['categories'][0]['keypoints'] == NAMES
