"""Checkpoints of URLs: downloaded whole into torch's cache, and compared with their names' hash."""

import hashlib
import re
import sys
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import urlopen

import torch
from mmengine.dist import barrier, get_dist_info
from tqdm import tqdm

from ..atomic import whole_file
from ..environment.printing import print_line
from ..errors import CheckpointError

TIMEOUT = 60  # seconds without a byte, after which a server is given up
BLOCK = 1 << 20
# `hrnet_w32-36af842e.pth` and `hrnet_w32_coco-bcb8c247_20200816.pth` carry the first digits of
# their SHA-256, as torch's and MMPose's files do; eight decimal digits alone are a date.
HASH = re.compile(r'-(?=[0-9]*[a-f])([0-9a-f]{8,64})(?=[._])')


def fetch(url: str) -> Path:
    """Return the file of a URL in torch's cache, where the first process of a run puts it.

    Raises:
        CheckpointError: the URL names no file, or its content is not the one that its name tells.
        OSError: it cannot be downloaded.
    """
    rank, processes = get_dist_info()
    if processes > 1:
        try:
            if rank == 0:
                _fetch(url)
        finally:
            barrier()
    return _fetch(url)


def _fetch(url: str) -> Path:
    name = Path(urlparse(url).path).name
    if name in ('', '..'):
        raise CheckpointError(f'the URL {url} names no file')
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    if not HASH.search(name):  # files of this name may lie on other servers as well
        folder /= hashlib.sha256(url.encode()).hexdigest()[:16]
    file = folder / name
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        print_line(f'Downloading {url} to {file}', to_stderr=True)
        _download(url, file)
    _check_hash(file, url)
    return file


def _download(url: str, file: Path) -> None:
    with urlopen(url, timeout=TIMEOUT) as answer, whole_file(file) as content:
        size = int(answer.headers['Content-Length'] or 0)
        quiet = not sys.stderr.isatty()
        with tqdm(total=size or None, unit='B', unit_scale=True, disable=quiet) as progress:
            for block in iter(lambda: answer.read(BLOCK), b''):
                content.write(block)
                progress.update(len(block))
        if content.tell() < size:
            raise CheckpointError(
                f'the download of {url} ended after {content.tell()} of {size} bytes: try again'
            )


def _check_hash(file: Path, url: str) -> None:
    wanted = HASH.search(file.name)
    if not wanted:
        return
    digest = hashlib.sha256()  # hashlib.file_digest needs Python 3.11
    with open(file, 'rb') as content:
        for block in iter(lambda: content.read(BLOCK), b''):
            digest.update(block)
    found = digest.hexdigest()
    if not found.startswith(wanted[1]):
        file.unlink()  # the next try downloads it anew
        raise CheckpointError(
            f'the checkpoint {url} is not the file that its name tells: its SHA-256 must begin '
            f'with {wanted[1]}, found {found[: len(wanted[1])]}'
        )
