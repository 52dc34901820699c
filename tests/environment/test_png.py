"""PNG files with faulty notes are read as without them, and nothing is said on stderr."""

import struct
import zlib

from pinet_mm import onnx_runner
from pinet_mm.datasets.loading import LoadImage
from pinet_mm.environment.png import without_notes
from pinet_mm.inference.sources.images import read_image
from pinet_mm.inference.sources.streams import decode_image

import cv2
import numpy as np
import pytest


def chunk(name, data, is_whole=True):
    checksum = zlib.crc32(name + data) ^ (not is_whole)
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', checksum)


FAULTS = {
    'profile': chunk(b'iCCP', b'x\0\0' + zlib.compress(b'junk' * 40)),
    'text': chunk(b'tEXt', b'a\0b', is_whole=False),
    'gamma': chunk(b'gAMA', bytes(4)),
    'twice': chunk(b'sRGB', b'\0') + chunk(b'sRGB', b'\1'),
    'size': chunk(b'pHYs', b'123'),
}
IMAGE = np.random.default_rng(0).integers(0, 255, (24, 32, 4), np.uint8)


def encode(shape=IMAGE):
    return cv2.imencode('.png', shape)[1].tobytes()


def with_notes(content, notes):
    return content[:33] + notes + content[33:]  # behind signature and header


@pytest.mark.parametrize('fault', FAULTS)
@pytest.mark.parametrize('door', ['file', 'bytes', 'training'])
def test_faulty_notes_are_not_complained_of(fault, door, tmp_path, capfd):
    content = with_notes(encode(IMAGE[..., :3]), FAULTS[fault])
    path = tmp_path / 'a.png'
    path.write_bytes(content)
    doors = dict(
        file=lambda: read_image(path),
        bytes=lambda: decode_image(content, 'a'),
        training=lambda: LoadImage()(dict(img_path=str(path)))['img'],
    )
    np.testing.assert_array_equal(doors[door](), IMAGE[..., :3])
    assert capfd.readouterr().err == ''


@pytest.mark.parametrize('fault', FAULTS)
def test_faulty_notes_are_taken_out(fault):
    # Whether OpenCV complains of them depends on its version.
    assert without_notes(with_notes(encode(), FAULTS[fault])) == encode()


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_only_notes_go(channels):
    plain = encode(IMAGE[..., :channels].squeeze())
    noted = with_notes(plain, FAULTS['profile'] + chunk(b'tEXt', b'a\0b') + FAULTS['size'])
    assert without_notes(noted) == plain == without_notes(plain)
    for cut in range(0, len(plain), 7):
        assert without_notes(plain[:cut]) == plain[:cut], 'what is cut off stays so'


@pytest.mark.parametrize('kind', ['color', 'grayscale'])
def test_the_notes_on_colors_keep_their_part_in_gray(kind, tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(with_notes(encode(IMAGE[..., :3]), chunk(b'sRGB', b'\0')))
    flag = dict(color=cv2.IMREAD_COLOR, grayscale=cv2.IMREAD_GRAYSCALE)[kind]
    found = LoadImage(color_type=kind)(dict(img_path=str(path)))['img']
    np.testing.assert_array_equal(found, cv2.imread(str(path), flag))


def test_other_files_stay_as_they_are():
    content = cv2.imencode('.jpg', IMAGE[..., :3])[1].tobytes()
    assert without_notes(content) is content and without_notes(b'') == b''


def test_the_runner_that_is_copied_out_reads_them_too(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(with_notes(encode(IMAGE[..., :3]), FAULTS['profile']))
    np.testing.assert_array_equal(onnx_runner.read_image(path), IMAGE[..., :3])
