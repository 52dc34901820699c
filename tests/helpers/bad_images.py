"""Image files that no network should see, and some odd ones that are read: name to content."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

H, W = 40, 60


def smooth_image() -> np.ndarray:
    """Return an image (H, W, 3) uint8 of smooth colors."""
    colors = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    return cv2.resize(colors, (W, H), interpolation=cv2.INTER_LINEAR)


def encoded(suffix: str, image: np.ndarray | None = None) -> bytes:
    """Return an image as a file of this suffix."""
    return cv2.imencode(suffix, smooth_image() if image is None else image)[1].tobytes()


def by_pillow(kind: str, mode: str = 'RGB', **options) -> bytes:
    """Return the image as Pillow writes it."""
    content = io.BytesIO()
    Image.fromarray(smooth_image()).convert(mode).save(content, kind, **options)
    return content.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(w: int, h: int, rows: bytes = bytes(1000), depth: int = 8, color: int = 2) -> bytes:
    """Return a PNG whose header says w×h, with these rows, compressed."""
    header = _chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, depth, color, 0, 0, 0))
    body = _chunk(b'IDAT', zlib.compress(rows)) + _chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + header + body


def greedy_png(kind: bytes, length: int) -> bytes:
    """Return a PNG of which a chunk's length is more than the file holds."""
    whole = encoded('.png')
    return whole[:33] + struct.pack('>I', length) + kind + bytes(50) + whole[33:]


def jpeg(w: int, h: int) -> bytes:
    """Return a JPEG whose header says w×h, and whose data are of fewer pixels."""
    content = bytearray(encoded('.jpg'))
    start = content.index(b'\xff\xc0')
    content[start + 5 : start + 9] = struct.pack('>HH', h, w)
    return bytes(content)


def bmp(w: int, h: int) -> bytes:
    """Return a BMP whose header says w×h."""
    content = bytearray(encoded('.bmp'))
    content[18:26] = struct.pack('<ii', w, h)
    return bytes(content)


def _of_bytes() -> dict[str, bytes]:
    noise = np.random.default_rng(1).integers(0, 256, 3000, dtype=np.uint8).tobytes()
    return {
        'empty': b'',
        'one byte': b'\xff',
        'zeros': bytes(4096),
        'noise': noise,
        'text': b'no image at all\n',
        'html': b'<html><body>404 Not Found</body></html>',
        'svg': b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        'json': b'{"images": []}',
        'pdf': b'%PDF-1.7\n%\xe2\xe3\xcf\xd3\n',
        'zip': b'PK\x03\x04' + bytes(30),
        'pickle': b'\x80\x04\x95',
        'npy': b'\x93NUMPY\x01\x00' + bytes(100),
        'elf': b'\x7fELF' + bytes(100),
        'script': b'#!/bin/sh\ntouch here\n',
        'gif': by_pillow('GIF', 'P')[:20],
        'mp4': b'\x00\x00\x00\x18ftypmp42' + bytes(50),
        'heic': b'\x00\x00\x00\x18ftypheic' + bytes(50),
        'psd': b'8BPS\x00\x01' + bytes(40),
        'git lfs': b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n',
        'raw fits': b'SIMPLE  =                    T' + bytes(2850),
    }


def _of_headers() -> dict[str, bytes]:
    return {
        'png 60000': png(60000, 60000),
        'png 2^31': png(2**31 - 1, 2**31 - 1),
        'png 20000': png(20000, 20000),
        'png 0': png(0, 10),
        'png short data': png(500, 500),
        'png of a chunk of 4 GB': greedy_png(b'tEXt', 2**32 - 1),
        'png of a chunk of 2 GB': greedy_png(b'IDAT', 2**31 - 1),
        'png of a chunk of 512 MB': greedy_png(b'abcd', 2**29),
        'png of jpg': b'\x89PNG\r\n\x1a\n' + encoded('.jpg'),
        'png bit depth 3': png(10, 10, depth=3),
        'png color 7': png(10, 10, color=7),
        'png bomb': png(30000, 30000, bytes(10**7)),
        'png thin': encoded('.png', np.zeros((1, 5000, 3), np.uint8)),
        'png tall': encoded('.png', np.zeros((5000, 1, 3), np.uint8)),
        'png of 33:1': encoded('.png', np.zeros((10, 330, 3), np.uint8)),
        'bmp thin': encoded('.bmp', np.zeros((1, 5000, 3), np.uint8)),
        'jpg thin': encoded('.jpg', np.zeros((2, 5000, 3), np.uint8)),
        'jpg 60000': jpeg(60000, 60000),
        'jpg 0': jpeg(0, 0),
        'bmp 60000': bmp(60000, 60000),
        'bmp -60000': bmp(60000, -60000),
        'bmp 0': bmp(0, 10),
        'bmp -1': bmp(-1, 10),
        'ppm 99999': b'P6\n99999 99999\n255\n' + bytes(100),
        'pgm 0': b'P5\n0 0\n255\n',
        'ppm of text': b'P6\nten ten\n255\n',
        'png alone': b'\x89PNG\r\n\x1a\n',
        'jpg alone': b'\xff\xd8\xff\xe0',
        'bmp alone': b'BM',
        'tiff alone': b'II*\x00' + bytes(8),
        'tiff to nowhere': b'II*\x00\xff\xff\xff\x7f',
        'tiff to itself': b'MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x08',
        'webp alone': b'RIFF\x00\x00\x00\x00WEBP',
        'jp2 alone': b'\x00\x00\x00\x0cjP  \r\n\x87\n',
    }


def _of_cuts() -> dict[str, bytes]:
    whole = {suffix: encoded(suffix) for suffix in ('.png', '.jpg', '.bmp', '.webp', '.tiff')}
    whole['.progressive.jpg'] = by_pillow('JPEG', progressive=True)
    return {
        f'{suffix[1:]} cut at {share:.0%}': content[: int(share * len(content))]
        for suffix, content in whole.items()
        for share in (0.1, 0.5, 0.95)
    }


def bad_images() -> dict[str, bytes]:
    """Return what must be refused, each in one line."""
    return {**_of_bytes(), **_of_headers(), **_of_cuts()}


def odd_images() -> dict[str, bytes]:
    """Return what looks odd and is an image of H×W all the same."""
    deep = smooth_image().astype(np.uint16) * 257
    return {
        'gray png': by_pillow('PNG', 'L'),
        'bit png': by_pillow('PNG', '1'),
        'palette png': by_pillow('PNG', 'P'),
        'rgba png': by_pillow('PNG', 'RGBA'),
        'gray-alpha png': by_pillow('PNG', 'LA'),
        '16-bit png': encoded('.png', deep),
        'interlaced tiff': by_pillow('TIFF'),
        'cmyk jpg': by_pillow('JPEG', 'CMYK'),
        'gray jpg': by_pillow('JPEG', 'L'),
        'progressive jpg': by_pillow('JPEG', progressive=True),
        'jpg and more': encoded('.jpg') + b'more',
        'png and more': encoded('.png') + bytes(100),
        'png and noise': encoded('.png') + bytes(range(100, 200)),
        'webp': encoded('.webp'),
        'ppm': encoded('.ppm'),
    }
