"""Drawings are written under any name, or refused in a line."""

import os

from pinet_mm.errors import InputError
from pinet_mm.inference.drawing.files import write_image

import cv2
import numpy as np
import pytest

IMAGE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def test_a_drawing_may_have_a_name_that_is_no_utf_8(tmp_path):
    path = os.fsdecode(bytes(tmp_path) + b'/\xff.png')
    write_image(path, IMAGE)
    with open(path, 'rb') as file:
        found = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(found, IMAGE)


@pytest.mark.parametrize(
    'name, found',
    [('x', 'no suffix'), ('x.y', '.y'), ('x.\udcff', '.\udcff')],
)
def test_a_name_that_is_not_of_an_image_is_refused(name, found, tmp_path):
    with pytest.raises(InputError, match=f'{name} must end as images do, .*; found {found}'):
        write_image(tmp_path / name, IMAGE)
    assert not list(tmp_path.iterdir())


def test_what_a_format_does_not_take_is_refused(tmp_path):
    with pytest.raises(OSError, match=r'.jpg takes no 65501x1 pixels of this kind: .*a.jpg'):
        write_image(tmp_path / 'a.jpg', np.zeros((1, 65501, 3), np.uint8))
    with pytest.raises(OSError, match=r'.jpg takes no 5x0 pixels of this kind: .*a.jpg'):
        write_image(tmp_path / 'a.jpg', np.zeros((0, 5, 3), np.uint8))
    assert not list(tmp_path.iterdir())
