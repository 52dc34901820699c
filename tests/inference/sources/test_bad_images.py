"""Files that are no images, or would cost too much, are refused in one line by all that reads."""

import os
import re
from pathlib import Path

import pinet_mm
from pinet_mm import onnx_runner
from pinet_mm.environment import limits
from pinet_mm.errors import InputError
from pinet_mm.inference.sources import read_image

import cv2
import numpy as np
import pytest
from mmpose.registry import TRANSFORMS

from tests.helpers.bad_images import H, W, bad_images, encoded, odd_images, smooth_image

BAD, ODD = bad_images(), odd_images()


def load(path, **options):
    """Read as a pipeline of MMPose's does."""
    step = TRANSFORMS.build(dict(type='LoadImage', **options))
    return step(dict(img_path=str(path)))['img']


READERS = dict(api=read_image, pipeline=load, runner=onnx_runner.read_image)


def test_there_are_sixty_kinds_of_bad_images():
    assert len(BAD) >= 60


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('kind', BAD)
def test_a_bad_image_is_refused_in_one_line(kind, reader, tmp_path):
    path = tmp_path / 'image.jpg'
    path.write_bytes(BAD[kind])
    with pytest.raises(ValueError, match=f'^{re.escape(str(path))} (is|has) .*$') as error:
        READERS[reader](path)
    assert reader == 'runner' or isinstance(error.value, InputError)


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('kind', ODD)
def test_an_odd_image_is_read(kind, reader, tmp_path):
    path = tmp_path / 'image.jpg'
    path.write_bytes(ODD[kind])
    assert READERS[reader](path).shape == (H, W, 3)


@pytest.mark.parametrize('reader', READERS)
def test_places_that_are_no_files(reader, tmp_path):
    os.mkfifo(tmp_path / 'pipe.jpg')  # reading it would wait for ever
    (tmp_path / 'folder.jpg').mkdir()
    (tmp_path / 'link.jpg').symlink_to(tmp_path / 'nowhere')
    (tmp_path / 'loop.jpg').symlink_to(tmp_path / 'loop.jpg')
    for name in ('pipe', 'folder', 'link', 'loop', 'gone'):
        with pytest.raises(ValueError, match=f'{name}.jpg (is|cannot be read)'):
            READERS[reader](tmp_path / f'{name}.jpg')


GREEDY = [kind for kind in BAD if kind.startswith('png of a chunk')]


@pytest.mark.parametrize('kind', [*GREEDY, 'png of jpg'])
def test_opencv_makes_no_room_for_what_a_chunk_says(kind, monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('OpenCV was asked'))
    with pytest.raises(ValueError, match='is no image that can be read, or is cut off'):
        onnx_runner.decode_image(BAD[kind], kind)


def test_a_file_of_many_bytes_is_not_read(tmp_path):
    with open(tmp_path / 'a.jpg', 'wb') as file:
        file.truncate(onnx_runner.MAX_BYTES + 1)  # takes no room
    with pytest.raises(ValueError, match='is no file of at most 1073741824 bytes'):
        onnx_runner.read_image(tmp_path / 'a.jpg')


@pytest.mark.parametrize('reader', READERS)
def test_a_name_that_is_no_utf_8(reader, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b'/\xff\xfe.png'))
    path.write_bytes(encoded('.png'))
    np.testing.assert_array_equal(READERS[reader](path), smooth_image())


def test_images_are_upright_unless_the_pipeline_says_otherwise(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    Image.fromarray(smooth_image()).save(tmp_path / 'a.jpg', exif=exif)
    assert read_image(tmp_path / 'a.jpg').shape == (W, H, 3)
    np.testing.assert_array_equal(load(tmp_path / 'a.jpg'), cv2.imread(str(tmp_path / 'a.jpg')))
    stored = load(tmp_path / 'a.jpg', color_type='color_ignore_orientation')
    assert stored.shape == (H, W, 3)


def test_arrays_have_the_same_bounds():
    step = TRANSFORMS.build(dict(type='LoadImage'))
    for shape in ((1, 5000, 3), (10, 321, 3), (0, 5, 3)):
        with pytest.raises(InputError, match=f'the image has {shape[1]}x{shape[0]} pixels; .* 32'):
            step(dict(img=np.zeros(shape, np.uint8)))
    step(dict(img=np.zeros((10, 320, 3), np.uint8)))


def test_the_bound_on_pixels_is_one():
    assert limits.MAX_PIXELS == onnx_runner.MAX_PIXELS
    assert pinet_mm.LoadImage is TRANSFORMS.get('LoadImage')
