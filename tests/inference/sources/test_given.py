"""What `predict` may be given: paths, arrays, PIL images, tensors; all else is named."""

from pinet_mm.errors import InputError
from pinet_mm.inference.sources.given import as_many, read_source

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

BGR = np.zeros((4, 6, 3), np.uint8) + np.array([10, 20, 200], np.uint8)
RGB = np.ascontiguousarray(BGR[..., ::-1])


@pytest.mark.parametrize(
    'image',
    [
        BGR,
        Image.fromarray(RGB),
        Image.fromarray(RGB).convert('RGBA'),
        torch.from_numpy(RGB).permute(2, 0, 1),
        torch.from_numpy(RGB).permute(2, 0, 1) / 255,
        (torch.from_numpy(RGB).permute(2, 0, 1) / 255).requires_grad_(),
    ],
    ids=['array', 'PIL', 'RGBA', 'bytes', 'floats', 'gradient'],
)
def test_every_kind_of_image_is_the_same_pixels(image):
    assert as_many(image) == [image] if not isinstance(image, np.ndarray) else as_many(image)
    np.testing.assert_array_equal(read_source(image)['img'], BGR)


def test_paths_and_gray_pil_images_become_color(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), BGR)
    for path in (tmp_path / 'a.png', str(tmp_path / 'a.png')):
        assert as_many(path) == [path]
        source = read_source(path)
        assert source['img_path'] == str(path)
        np.testing.assert_array_equal(source['img'], BGR)
    gray = read_source(Image.fromarray(BGR[..., 0]))['img']
    np.testing.assert_array_equal(gray, np.full((4, 6, 3), 10))


def test_pil_images_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    Image.fromarray(RGB).save(tmp_path / 'turned.png', exif=exif)
    with Image.open(tmp_path / 'turned.png') as turned:
        assert read_source(turned)['img'].shape == (6, 4, 3)


def test_many_images_are_gone_through_as_they_come():
    stream = (BGR for _ in range(3))
    assert as_many(stream) is stream
    stack = torch.zeros(2, 3, 4, 6)
    assert as_many(stack) is stack and len(list(as_many(np.stack([BGR] * 2)))) == 2


@pytest.mark.parametrize('wrong', [5, None, b'street.jpg', {'img': BGR}, 0.5])
def test_what_is_no_image_is_named_in_one_line(wrong):
    with pytest.raises(
        InputError, match=f'^images must be a path, .*found {type(wrong).__name__}$'
    ):
        as_many(wrong)
    with pytest.raises(InputError, match='^an image must be a path, .*; found '):
        read_source(wrong)


@pytest.mark.parametrize(
    'tensor, message',
    [
        (torch.zeros(4, 6, 3), r'one image \(3, H, W\) in RGB order; found \(4, 6, 3\)'),
        (torch.full((3, 4, 6), -1.5), r'floats in \[0, 1\] .*found float32 from -1.5 to -1.5'),
        (torch.full((3, 4, 6), 200.0), r'floats in \[0, 1\] .*found float32 from 200 to 200'),
        (torch.zeros(3, 4, 6, dtype=torch.int32), r'must be uint8, .*; found int32'),
    ],
)
def test_tensors_of_another_order_or_range_are_refused(tensor, message):
    with pytest.raises(InputError, match=message):
        read_source(tensor)
