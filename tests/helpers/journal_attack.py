"""Kill inference at random moments, fill its disk, resume it, and compare with a whole run.

python -m tests.helpers.journal_attack FOLDER --kills 30
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pinet_mm.inference import folders
from pinet_mm.inference.runs.options import InferOptions

import cv2
import numpy as np
from tqdm import tqdm

from tests.helpers import counts
from tests.helpers.counts import Count
from tests.helpers.videos import MODEL, predict

FORK = multiprocessing.get_context('fork')
IMAGES = 150
PAUSE = 0.002  # seconds per image, so that kills meet every part of a run
FULL = 28  # exit status of a run that met a full disk and said how to go on
JOURNAL, DOCUMENT = 'predictions.jsonl', 'predictions.json'


def write_images(folder: Path) -> Path:
    """Write images, each of another gray, and return their folder."""
    (folder / 'images').mkdir(parents=True)
    for i in range(IMAGES):
        image = np.full((8, 8, 3), i, np.uint8)
        cv2.imwrite(str(folder / 'images' / f'{i:03}.png'), image)
    return folder / 'images'


def infer(
    images: Path, out: Path, counts=None, limit: int | None = None, last: int | None = None
) -> None:
    """Find poses and go on from what is there.

    Args:
        images: folder of the images.
        out: folder of the results.
        counts: shared numbers: of images that were given back, and of those that were predicted.
        limit: bytes that a file may have, in place of a full disk.
        last: number of the image at which this process kills itself.
    """

    def slowly(model, found, size):
        for number, result in enumerate(predict(model, found), 1):
            time.sleep(PAUSE)
            if number == last:
                os.kill(os.getpid(), signal.SIGKILL)
            if counts:
                counts[1] += 1
            yield result
            if counts:
                counts[0] += 1  # whoever asks for the next one has written this one

    folders.predict = slowly
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    with contextlib.redirect_stderr(open(os.devnull, 'w')):
        try:
            folders.infer(MODEL, [images], out, options=InferOptions(overlays=False, resume=True))
        except OSError as error:
            os._exit(FULL if 'make room and go on with --resume' in str(error) else 1)


def apart(call: Callable, *args: object, **options: object) -> None:
    """Make a call in a forked process, with a lock of its own for the progress.

    tqdm's is shared by all forks: one that was killed while it held it would stop all later ones.
    """
    tqdm.set_lock(threading.RLock())
    call(*args, **options)


def child(*args: object) -> multiprocessing.Process:
    """Start `infer` in a process of its own."""
    process = FORK.Process(target=apart, args=(infer, *args))
    process.start()
    return process


def noted(out: Path) -> list[str]:
    """Return the names of the images in the whole lines of the journal."""
    path = out / JOURNAL
    whole = path.read_bytes().split(b'\n')[1:-1] if path.exists() else []
    return [json.loads(line)['file'] for line in whole]


def attack(folder: Path, kills: int, seed: int = 0) -> dict[str, int]:
    """Kill runs at random moments until there were enough kills; check each journal and result.

    Args:
        folder: to work in.
        kills: how many are wanted.
        seed: of the moments.

    Returns:
        Counts: kills, journals that held every image that was given back, runs that were completed,
        and those whose document equals that of a whole run.
    """
    chance, images = random.Random(seed), write_images(folder)
    infer(images, folder / 'whole')
    wanted = (folder / 'whole' / DOCUMENT).read_bytes()
    found = dict(kills=0, held=0, runs=0, equal=0)
    while found['kills'] < kills:
        out, killed = folder / f'out_{found["runs"]}', True
        while killed:
            before = set(noted(out))
            counts = FORK.Array('i', 2)
            process = child(images, out, counts)
            process.join(chance.uniform(0, IMAGES * PAUSE) if found['kills'] < kills else None)
            killed = process.is_alive()
            if killed:
                os.kill(process.pid, signal.SIGKILL)
                process.join()
                found['kills'] += 1
                now = noted(out)
                # Nothing twice, all that was there before, and all that was given back.
                whole = len(set(now)) == len(now) and before <= set(now)
                found['held'] += whole and len(now) >= len(before) + counts[0]
            else:
                assert process.exitcode == 0
                assert counts[1] == IMAGES - len(before), 'only the rest is predicted'
        found['runs'] += 1
        found['equal'] += (out / DOCUMENT).read_bytes() == wanted
    return found


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """Mount a small file system at a folder, if this process may; yields whether it could."""
    folder.mkdir(parents=True)
    words = ['mount', '-t', 'tmpfs', '-o', f'size={size}', 'none', str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(['umount', str(folder)], check=True)


def fill(folder: Path, seed: int = 0, times: int = 5) -> dict[str, int]:
    """Let the disk become full at different moments, make room, and go on.

    Args:
        folder: to work in.
        seed: of the moments.
        times: how often.

    Returns:
        Counts: runs that met a full disk and said so, and those whose document was that of a whole
        run after there was room.
    """
    chance, images = random.Random(seed), write_images(folder)
    infer(images, folder / 'whole')
    wanted = (folder / 'whole' / DOCUMENT).read_bytes()
    size = (folder / 'whole' / JOURNAL).stat().st_size
    found = dict(full=0, equal=0)
    for number in range(times):
        with small_disk(folder / f'disk_{number}', 2 * size + 65536) as mounted:
            out, free = folder / f'disk_{number}' / 'out', chance.randrange(200, size)
            out.mkdir()
            ballast, limit = out.parent / 'ballast', None if mounted else free
            if mounted:
                left = os.statvfs(out)
                ballast.write_bytes(bytes(left.f_bavail * left.f_frsize - free))
            process = child(images, out, None, limit)
            process.join()
            found['full'] += process.exitcode == FULL
            assert not (out / DOCUMENT).exists() and not list(out.glob('.*part'))
            ballast.unlink(missing_ok=True)
            again = child(images, out)
            again.join()
            found['equal'] += (out / DOCUMENT).read_bytes() == wanted
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description='Kill inference at random and resume it')
    parser.add_argument('folder', type=Path)
    parser.add_argument('--kills', type=int, default=30)
    parser.add_argument('--seed', type=int, default=0)
    counts.add_option(parser)
    args = parser.parse_args()
    if 'full' in counts.read(args.counts):
        return
    killed = attack(args.folder / 'killed', args.kills, args.seed)
    print(killed, flush=True)
    filled = fill(args.folder / 'full', args.seed, args.kills)
    print(filled)
    counts.keep(
        args.counts,
        journal=Count(killed['kills'], killed['held']),
        resumed=Count(killed['runs'], killed['equal'], f'{killed["kills"]} kills'),
        full=Count(args.kills, min(filled['full'], filled['equal'])),
    )


if __name__ == '__main__':
    main()
