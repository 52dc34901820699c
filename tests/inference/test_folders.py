"""Images and folders in, overlays and a JSON file out: what goes wrong on the way."""

import errno
import json
from pathlib import Path
from types import SimpleNamespace

from pinet_mm.inference import folders
from pinet_mm.inference.drawing.sheets import PERSON_COLORS
from pinet_mm.inference.folders import infer
from pinet_mm.inference.results import PoseResult
from pinet_mm.inference.runs import overlays
from pinet_mm.inference.runs.options import InferOptions
from pinet_mm.inference.runs.overlays import OverlayFolder, overlay_names
from pinet_mm.inference.sources import find_images
from pinet_mm.inference.sources.items import Source
from pinet_mm.onnx_runner import OnnxPoses

import cv2
import numpy as np
import pytest
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample

from tests.helpers import toys

META = parse_pose_metainfo(toys.five_metainfo())


def found_in(image):
    """One person in the middle of an image, as `predict` yields it."""
    keypoints = np.full((1, 5, 2), 20.0) + np.arange(5)[:, None]
    people = InstanceData(
        keypoints=keypoints,
        keypoint_scores=np.full((1, 5), 0.5),
        keypoints_visible=np.full((1, 5), 0.5),
        bboxes=np.array([[20.0, 20, 24, 24]]),
        bbox_scores=np.array([0.5]),
    )
    return PoseDataSample(pred_instances=people, metainfo=dict(ori_shape=image.shape[:2]))


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / 'inputs'
    folder.mkdir()
    for name in 'ab':
        cv2.imwrite(str(folder / f'{name}.png'), np.zeros((40, 60, 3), np.uint8))
    return folder


@pytest.fixture
def model(monkeypatch):
    """Something that finds a person in every image."""
    monkeypatch.setattr(folders, 'predict', lambda model, images, size: map(found_in, list(images)))
    return SimpleNamespace(dataset_meta=META)


def test_an_overlay_that_cannot_be_written_is_said_and_not_named(images, model, tmp_path):
    out = tmp_path / 'out'
    (out / 'a.jpg').mkdir(parents=True)  # no file can have this name
    message = r'into .*out: a.jpg \(Not a file\); predictions.json there holds all'
    with pytest.raises(OSError, match=f'^1 image could not be written {message}'):
        infer(model, [images], out)
    records = json.loads((out / 'predictions.json').read_text())['images']
    assert [record['overlay'] for record in records] == [None, 'b.jpg']
    assert [len(record['persons']) for record in records] == [1, 1]
    assert cv2.imread(str(out / 'b.jpg')) is not None
    # Both are on the overview, also the one that has no file of its own.
    assert cv2.imread(str(out / 'overview.jpg')).shape[1] == 2 * 480


def test_why_overlays_cannot_be_written_is_said(images, model, tmp_path, monkeypatch):
    def write(path, content):
        raise OSError(errno.ENOSPC, 'No space left on device', str(path))

    monkeypatch.setattr(Path, 'write_bytes', write)
    full = r'\(No space left on device\)'
    message = (
        f'^3 images could not .*: a.jpg {full}, b.jpg {full}, overview.jpg {full}; predictions'
    )
    with pytest.raises(OSError, match=message):
        infer(model, [images], tmp_path / 'out')


def test_an_overview_that_cannot_be_written_is_said(images, model, tmp_path):
    (tmp_path / 'out' / 'overview.jpg').mkdir(parents=True)
    with pytest.raises(OSError, match='1 image could not be written into .*: overview.jpg'):
        infer(model, [images], tmp_path / 'out')
    assert (tmp_path / 'out' / 'predictions.json').is_file()


def cid_found_in(image):
    """Two people as MMPose's CID returns them: keypoints and their scores, nothing else."""
    first = np.array([[20.0, 5], [21, 22], [22, 9], [23, 8], [30, 7]])
    scores = np.array([[0.01, 0.02, 0.03, 0.04, 0.0], [0.2, 0.4, 0.6, 0.8, 1.0]])
    people = InstanceData(
        keypoints=np.stack([first, first + (8, 4)]),
        keypoint_scores=scores,
        keypoints_visible=scores,
    )
    return PoseDataSample(pred_instances=people, metainfo=dict(ori_shape=image.shape[:2]))


def test_people_without_scores_and_boxes_get_those_of_their_keypoints(
    images, monkeypatch, tmp_path
):
    monkeypatch.setattr(folders, 'predict', lambda model, found, size: map(cid_found_in, found))
    model = SimpleNamespace(dataset_meta=META)
    report = infer(model, [images], tmp_path / 'out', options=InferOptions(all_poses=True))
    for record in json.loads(report.json.read_text())['images']:
        assert [person['score'] for person in record['persons']] == [0.6, 0.02]
        assert [person['bbox'] for person in record['persons']] == [
            [28, 9, 38, 26],
            [20, 5, 30, 22],
        ]
    # An overlay leaves out whoever scores less than 0.1: x and y of the first person, enlarged.
    overlay = cv2.imread(str(tmp_path / 'out' / 'a.jpg'))
    zoom = overlay.shape[1] / 60
    assert overlay[:, : round(25 * zoom)].max() < 60 <= overlay[:, round(27 * zoom) :].max()


def test_a_terminal_obeys_no_name_of_an_image(images, model, tmp_path, capsys):
    (images / '\x1b[31m\n.png').write_text('no image')
    report = infer(model, [images], tmp_path / 'out')
    assert report.unreadable == [str(images / '\x1b[31m\n.png')]
    said = capsys.readouterr().err
    assert f'{images}/\\x1b[31m\\n.png is no image' in said and '\x1b[31m' not in said


def test_an_exported_file_has_no_poses_before_fusion(images, tmp_path):
    exported = OnnxPoses.__new__(OnnxPoses)  # refused before anything is asked of it
    with pytest.raises(ValueError, match='before_fusion needs .* a PINet .*; found OnnxPoses'):
        infer(exported, [images], tmp_path / 'out', before_fusion=True)
    assert not (tmp_path / 'out').exists()


def test_a_folder_that_is_named_like_an_image_is_none(images):
    (images / 'x.jpg').mkdir()
    assert find_images([images]) == [images / 'a.png', images / 'b.png']
    cv2.imwrite(str(images / 'x.jpg' / 'c.png'), np.zeros((4, 4, 3), np.uint8))
    assert find_images([images])[-1] == images / 'x.jpg' / 'c.png'
    (images / 'empty.jpg').mkdir()
    with pytest.raises(FileNotFoundError, match='empty.jpg holds no image; expected an image or'):
        find_images([images / 'empty.jpg'])


def test_drawings_have_names_of_their_own(tmp_path):
    files = [tmp_path / name for name in ('a.png', 'x/a.jpg', 'a-1.png', 'overview.tif')]
    assert overlay_names(files) == ['a.jpg', 'a-1.jpg', 'a-1-1.jpg', 'overview-1.jpg']


def test_no_drawing_takes_the_place_of_another(tmp_path):
    folder = OverlayFolder(tmp_path, columns=4, cell=40)
    sources = [
        Source('a/photo.jpg', 'image'),
        Source('http://x/photo', 'stream'),  # an image or a stream
        Source('b/photo.mp4', 'video'),
        Source('b/photo.jpg', 'image'),
        Source('http://y/overview', 'stream'),
    ]
    folder.name_sources(sources)
    names = [[folder.name_of(source, suffix) for suffix in ('.jpg', '.mp4')] for source in sources]
    assert [names[0][0], names[2][1], names[3][0]] == ['photo.jpg', 'photo.mp4', 'photo-2.jpg']
    assert names[1] == ['photo-1.jpg', 'photo-1.mp4']
    assert names[4] == ['overview-1.jpg', 'overview-1.mp4']


def test_names_on_an_overview_are_those_of_the_files(images, model, tmp_path, monkeypatch):
    titles = []

    def draw(drawings, columns, cell, names, gap):
        titles.extend(names)
        return drawings[0]

    monkeypatch.setattr(overlays, 'contact_sheet', draw)
    infer(model, [images], tmp_path / 'out')
    assert titles == ['a.png', 'b.png'], 'though the drawings are a.jpg and b.jpg'


def test_an_overview_holds_the_first_twelve_with_their_names(tmp_path):
    sheet = OverlayFolder(tmp_path / 'out', columns=4, cell=40, gap=4)
    sheet.write_overview()
    assert not (tmp_path / 'out' / 'overview.jpg').exists()
    for i in range(14):
        drawing = np.full((30, 40, 3), 100 if i < 12 else 0, np.uint8)
        assert sheet.write(f'{i}.png', drawing) == f'{i}.png'
    sheet.write_overview()
    sheet.require_all(tmp_path / 'out' / 'a.json')
    overview = cv2.imread(str(tmp_path / 'out' / 'overview.jpg'))
    # Three rows of four; at 37 px of width they are 28 high, with a line of text below.
    assert overview.shape == (3 * (28 + 28) + 2 * 4, 4 * 37 + 3 * 4, 3)
    rows = [overview[i * 60 : i * 60 + 28] for i in range(3)]
    assert all(abs(row[4:24, 4:34].astype(int) - 100).max() < 12 for row in rows)
    assert all(overview[i * 60 + 30 : i * 60 + 54, :36].min() < 128 for i in range(3))
    assert cv2.imread(str(tmp_path / 'out' / '0.png')).shape == (30, 40, 3)


def test_tags_on_the_overview_can_be_read_whatever_the_size_of_the_image(tmp_path, monkeypatch):
    image = np.zeros((2400, 800, 3), np.uint8)
    person = found_in(image)
    person.pred_instances.keypoints += (380, 900)
    monkeypatch.setattr(
        folders, 'predict', lambda model, images, _: (PoseResult.of(person, META) for _ in images)
    )
    cv2.imwrite(str(tmp_path / 'tall.png'), image)
    infer(SimpleNamespace(dataset_meta=META), [tmp_path / 'tall.png'], tmp_path / 'out')
    overview = cv2.imread(str(tmp_path / 'out' / 'overview.jpg')).astype(int)
    # The first person's color; the tag's are the rows of which fifteen pixels have it.
    of_tag = (abs(overview - PERSON_COLORS[0][::-1]).max(axis=-1) < 60).sum(axis=1) >= 15
    assert of_tag.sum() >= 8, 'letters of 9 px, of which some rows are too dark'
    assert cv2.imread(str(tmp_path / 'out' / 'tall.jpg')).shape == (2400, 800, 3)


def test_a_folder_named_like_an_image_counts_once_and_hidden_folders_do_not(tmp_path):
    for name in ('clip.jpg/0001.jpg', '.ipynb_checkpoints/0001.jpg', 'a/.hidden/b.jpg'):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert find_images([tmp_path]) == [tmp_path / 'clip.jpg' / '0001.jpg']
