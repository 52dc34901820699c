"""Links to nowhere, pipes and folders that may not be entered, among images; outputs that fail."""

import json
import os
import re

from pinet_mm.atomic import require_writable
from pinet_mm.errors import InputError
from pinet_mm.inference import folders
from pinet_mm.inference.folders import infer
from pinet_mm.inference.sources.images import find_images, read_image
from pinet_mm.inference.sources.items import find_sources, read_items

import cv2
import numpy as np
import pytest

from tests.helpers.videos import MODEL, predict


@pytest.fixture
def images(tmp_path):
    """A folder of an image, a link to nowhere, a pipe, and a hidden file."""
    folder = tmp_path / 'images'
    folder.mkdir()
    cv2.imwrite(str(folder / 'good.png'), np.zeros((20, 30, 3), np.uint8))
    (folder / 'link.png').symlink_to(folder / 'gone.png')
    os.mkfifo(folder / 'pipe.png')
    (folder / '.hidden.png').write_text('')
    return folder


def test_links_to_nowhere_and_pipes_are_named_and_the_rest_is_done(images, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, 'predict', predict)
    report = infer(MODEL, [images], tmp_path / 'out')
    assert report.images == 1
    assert report.unreadable == [str(images / 'link.png'), str(images / 'pipe.png')]
    document = json.loads((tmp_path / 'out' / 'predictions.json').read_text())
    assert document['unreadable'] == report.unreadable


def test_links_that_lead_to_themselves_are_named(images, tmp_path):
    loop = images / 'loop.png'
    loop.symlink_to(loop)
    (images / 'here').symlink_to(images)
    with pytest.raises(FileNotFoundError, match='all images lie in'):
        find_images([images], tmp_path)
    assert loop in find_images([images], tmp_path / 'out')
    (source,) = [each for each in find_sources([images], tmp_path / 'out') if 'loop' in each.name]
    (item,) = read_items(source)
    assert item.image is None and item.error.startswith(f'{loop} cannot be read: Too many levels')


@pytest.mark.parametrize('word', ['\0', 'a\0.png', 'a\0.mp4', '\0*.png', 'http://x/\0.png'])
def test_names_that_no_file_can_have_are_named(word, images):
    with pytest.raises(FileNotFoundError, match=re.escape(f'{word!r} does not exist')):
        find_sources([word])
    assert find_sources([word, images / 'good.png'])[0].problem


def test_a_pipe_that_is_named_is_read_as_one(images, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folders, 'predict', predict)
    report = infer(MODEL, [images / 'pipe.png'], tmp_path / 'out')
    assert report.unreadable == [str(images / 'pipe.png')]
    assert 'pipe.png is no file of at most' in capsys.readouterr().err


def test_a_folder_that_may_not_be_entered_is_an_error(images, monkeypatch):
    closed = images / 'closed'
    closed.mkdir()
    walk = os.scandir

    def scandir(path):
        if str(path) == str(closed):
            raise PermissionError(13, 'Permission denied', str(path))
        return walk(path)

    monkeypatch.setattr(os, 'scandir', scandir)
    with pytest.raises(PermissionError, match=f'Permission denied: {re.escape(repr(str(closed)))}'):
        find_images([images])


def test_an_output_that_cannot_be_written_is_found_before(tmp_path, monkeypatch):
    require_writable(tmp_path / 'new' / 'a.json')
    assert (tmp_path / 'new').is_dir() and not any((tmp_path / 'new').iterdir())
    with pytest.raises(IsADirectoryError, match='Is a directory: .*new'):
        require_writable(tmp_path / 'new')
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='file'):
        require_writable(tmp_path / 'file' / 'a.json')
    monkeypatch.setattr(os, 'access', lambda path, mode: False)
    with pytest.raises(PermissionError, match='The folder cannot be written into: .*new'):
        require_writable(tmp_path / 'new' / 'a.json')


@pytest.mark.parametrize(
    'name, said',
    [
        (
            'predictions.json',
            'data convert takes predictions, fuse the poses of test --json, data check annotations',
        ),
        ('model.onnx', '--model of pinet-mm predict takes exported models'),
        ('weights.pth', '--checkpoint of pinet-mm infer takes weights'),
        ('config.py', '--config of pinet-mm infer takes configs'),
        ('a.jpg', 'cut off$'),
    ],
)
def test_a_file_that_is_no_image_names_what_takes_it(name, said, tmp_path):
    path = tmp_path / name
    path.write_text('{}')
    with pytest.raises(InputError, match=f'^{path} is no image that can be read.*{said}'):
        read_image(path)


@pytest.mark.parametrize('name', ['good.jpg', 'overview.jpg', 'predictions.json'])
@pytest.mark.parametrize('link', ['symlink_to', 'hardlink_to'])
def test_what_a_link_in_the_output_leads_to_stays(name, link, images, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, 'predict', predict)
    (tmp_path / 'out').mkdir()
    before = (images / 'good.png').read_bytes()
    getattr(tmp_path / 'out' / name, link)(images / 'good.png')
    assert infer(MODEL, [images / 'good.png'], tmp_path / 'out').images == 1
    assert (images / 'good.png').read_bytes() == before
    assert (tmp_path / 'out' / name).read_bytes() != before


@pytest.mark.parametrize('link', ['symlink_to', 'hardlink_to'])
def test_a_journal_that_is_a_link_is_begun_beside_it(link, images, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, 'predict', predict)
    (tmp_path / 'out').mkdir()
    other = tmp_path / 'other.jsonl'
    other.write_text('mine')
    getattr(tmp_path / 'out' / 'predictions.jsonl', link)(other)
    infer(MODEL, [images / 'good.png'], tmp_path / 'out')
    assert other.read_text() == 'mine'
    lines = (tmp_path / 'out' / 'predictions.jsonl').read_text().splitlines()
    assert len(lines) == 2 and 'good.png' in lines[1]


def test_a_pipe_in_place_of_a_drawing_is_not_waited_for(images, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, 'predict', predict)
    (tmp_path / 'out').mkdir()
    os.mkfifo(tmp_path / 'out' / 'good.jpg')
    with pytest.raises(OSError, match='1 image could not be written into .*: good.jpg'):
        infer(MODEL, [images / 'good.png'], tmp_path / 'out')
