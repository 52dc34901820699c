"""Take hostile files through every tool in this process, and watch what Python is asked to do.

python -m tests.helpers.watching FOLDER --every 3

An audit hook sees processes that start, connections, and files that are written; a server on
127.0.0.1 sees connections of libraries; and the folder's content is compared before and after. What
was found stands in FOLDER/cases.jsonl; the same command goes on from it. A pair whose process died
counts as such.
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import socket
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pinet_mm import onnx_runner
from pinet_mm.errors import InputError, RunError

from tests.helpers import counts, hostile_files
from tests.helpers.counts import Count
from tests.helpers.hostile_ways import Tools

PROCESSES = ('subprocess.', 'os.system', 'os.exec', 'os.fork', 'os.posix_spawn', 'os.spawn', 'pty.')
CONNECTIONS = ('socket.connect', 'socket.bind', 'socket.sendto', 'socket.getaddrinfo', 'urllib.')
# Events that change paths: which arguments these are, and which one is an open folder of theirs.
CHANGES = {
    'os.mkdir': ((0,), 2),
    'os.remove': ((0,), 1),
    'os.rmdir': ((0,), 1),
    'os.truncate': ((0,), None),
    'os.chmod': ((0,), 2),
    'os.rename': ((0, 1), None),
    'os.link': ((1,), None),
    'os.symlink': ((1,), None),
    'shutil.rmtree': ((0,), None),
}
# MMEngine writes into the log of a run which compiler and which commit there are; matplotlib, where
# it has no cache yet, asks for fonts.
OF_MMENGINE = ("'gcc --version'", "['git', 'rev-parse', 'HEAD']", "['fc-list', ")
GOOD, BAD = ('refused', 'accepted'), ('traceback', 'died')
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Case(NamedTuple):
    """What a tool made of a file: refused, accepted, traceback, died; what it did that it must not.

    Attributes:
        kind: of the file.
        file: its name.
        way: the tool.
        outcome: as above.
        said: its message.
        did: processes, connections, and writing outside of the output.
    """

    kind: str
    file: str
    way: str
    outcome: str
    said: str
    did: list[str]


class Watch:
    """Note what this process is asked to do while it is on.

    Args:
        allowed: folders that may be written into.
        port: that may be connected to.
    """

    def __init__(self, *allowed: Path, port: int = 0):
        self.allowed = tuple(f'{path.resolve()}/' for path in allowed)
        self.meant = f"'127.0.0.1', {port}", f'http://127.0.0.1:{port}/', *OF_MMENGINE
        self.is_on, self.seen = False, []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple) -> None:
        if not self.is_on:
            return
        if event.startswith(PROCESSES + CONNECTIONS):
            if not any(words in repr(args) for words in self.meant):
                self.seen.append(f'{event} {args!r}'[:300])
        elif event == 'open' and not isinstance(args[0], int):
            is_written = (args[2] or 0) & WRITING or set(args[1] or '') & set('wax+')
            if is_written:
                self._note(event, args[0])
        elif event in CHANGES:
            places, place = CHANGES[event]
            folder = -1 if place is None or len(args) <= place else args[place]
            for number in places:
                self._note(event, args[number], folder)

    def _note(self, event: str, path: object, folder: int = -1) -> None:
        if isinstance(path, int) or path is None:
            return
        parent = os.getcwd() if folder in (-1, None) else os.readlink(f'/proc/self/fd/{folder}')
        name = os.path.normpath(os.path.join(parent, os.fsdecode(path)))
        if name != os.devnull and not f'{name}/'.startswith(self.allowed):
            self.seen.append(f'{event} {name}')

    @contextlib.contextmanager
    def on(self) -> Iterator[list[str]]:
        """Note what is done in the block; yields the list of it."""
        self.seen = []
        self.is_on = True
        try:
            yield self.seen
        finally:
            self.is_on = False


def listen() -> tuple[int, list]:
    """Return a port that is listened to, and the list of those who connected."""
    server, met = socket.create_server(('127.0.0.1', 0)), []

    def accept() -> None:
        while True:
            client, address = server.accept()
            met.append(address)
            client.close()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1], met


def run_quietly(call: Callable) -> tuple[str, str]:
    """Return how a call ends, and what was said: refused by one line, accepted, or a traceback."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = call()
        except SystemExit as ended:
            status = ended.code
        except (InputError, RunError) as error:
            status = f'error: {error}'
        except Exception:
            return 'traceback', traceback.format_exc()[-1500:]
    if status in (None, 0):
        return 'accepted', ''
    text = str(status) if isinstance(status, str) else said.getvalue()
    return 'refused', text


KINDS = ('checkpoints', 'urls', 'configs', 'annotations', 'exports', 'onnx', 'images', 'videos')


def all_cases(
    tools: Tools, kinds: tuple[str, ...], port: int
) -> Iterator[tuple[str, Path, str, Callable]]:
    """Write the files; yield kind, file, way and call of everything that is tried."""
    place, of = tools.root / 'place', hostile_files
    writers = dict(
        checkpoints=lambda folder: of.checkpoints(folder, tools.weights, place, port),
        urls=lambda folder: of.checkpoints(folder, tools.weights, place, port)[::4],
        configs=lambda folder: of.configs(folder, place),
        annotations=lambda folder: of.annotations(folder, place, port, tools.keypoints),
        exports=lambda folder: of.exports(folder, place, port),
        onnx=lambda folder: of.onnx_files(folder, onnx_runner.SHIPPED),
        images=lambda folder: of.images(folder, place),
        videos=lambda folder: of.videos(folder, port),
    )
    for kind in kinds:
        folder = tools.root / f'hostile_{kind}'
        folder.mkdir()
        for file in writers[kind](folder):
            for way, call in getattr(tools, f'{kind}_ways')(file).items():
                yield kind, file, way, call


def watch(folder: Path, kinds: Sequence[str] = KINDS, every: int = 1) -> list[Case]:
    """Take all files of some kinds through all tools; go on from what a folder holds.

    Args:
        folder: of `cases.jsonl`, what became of each.
        kinds: of files.
        every: try every n-th pair of a file and a tool only.

    Returns:
        What became of each.
    """
    log, begun = folder / 'cases.jsonl', folder / 'begun.json'
    if begun.exists():  # the process that tried this pair ended there
        write_case(log, Case(*json.loads(begun.read_text()), 'died', '', []))
        begun.unlink()
    known = {each[:3] for each in read_cases(log)}
    root = Path(tempfile.mkdtemp(prefix='run_', dir=folder))
    (port, met), tools = listen(), Tools(root)
    watcher = Watch(root / 'out', port=tools.server.server_port)
    os.chdir(root)
    tempfile.tempdir = str(root / 'out')  # MMEngine copies configs there before it reads them
    for name in ('PINET_MM_CACHE', 'TORCH_HOME', 'MPLCONFIGDIR'):  # caches, as users may have them
        os.environ[name] = str(root / 'out')
    os.environ['HOME'] = str(root / 'home')
    for kind, file, way, call in itertools.islice(all_cases(tools, kinds, port), 0, None, every):
        pair = (kind, file.name, way)
        if pair not in known:
            begun.write_text(json.dumps(pair))
            try:
                write_case(log, Case(*pair, *try_one(call, watcher, met, root)))
            finally:
                begun.unlink()
    return read_cases(log)


def try_one(call: Callable, watcher: Watch, met: list, root: Path) -> tuple[str, str, list[str]]:
    """Return how a call ends, what was said, and what it did that it must not."""
    before, known = content_of(root), len(met)
    with watcher.on() as seen:
        outcome, said = run_quietly(call)
    did = list(dict.fromkeys(seen))
    did += [f'connected {address}' for address in met[known:]]
    did += [f'left {path}' for path in sorted(content_of(root) ^ before)]
    return outcome, said, did


def read_cases(log: Path) -> list[Case]:
    """Return what a file of results holds."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [Case(**json.loads(line)) for line in lines]


def write_case(log: Path, case: Case) -> None:
    """Append a result."""
    with open(log, 'a') as file:
        file.write(f'{json.dumps(case._asdict())}\n')


def content_of(root: Path) -> set[str]:
    """Return all that lies in a folder, but for `out` and compiled modules."""
    return {
        str(path.relative_to(root))
        for path in root.rglob('*')
        if path.relative_to(root).parts[0] != 'out' and '__pycache__' not in path.parts
    }


def main() -> None:
    parser = argparse.ArgumentParser(description='Take hostile files through every tool')
    parser.add_argument('folder', type=Path, help='of the results')
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=KINDS)
    parser.add_argument('--every', type=int, default=1, help='every n-th pair of file and tool')
    counts.add_option(parser)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    args.counts = args.counts and args.counts.resolve()
    cases = watch(args.folder.resolve(), args.kinds, args.every)
    good = sum(each.outcome in GOOD and not each.did for each in cases)
    counts.keep(args.counts, hostile=Count(len(cases), good))
    print('| files | tried | refused | accepted | traceback | died | did what they must not |')
    print('|---|---|---|---|---|---|---|')
    for kind in dict.fromkeys(each.kind for each in cases):
        own = [each for each in cases if each.kind == kind]
        ends = Counter(each.outcome for each in own)
        cells = [ends[end] for end in (*GOOD, *BAD)]
        cells.append(sum(bool(each.did) for each in own))
        print(f'| {kind} | {len(own)} | {" | ".join(map(str, cells))} |')


if __name__ == '__main__':
    main()
