"""Print what docs/robustness.md shows: what was tried, and how much of it is survived.

python -m tests.helpers.robustness                        prints the table of docs/robustness.json
python -m tests.helpers.robustness --count                counts what is short anew
python -m tests.helpers.robustness --take work_dirs/soak  takes what `make soak` left there

--write keeps what is new in docs/robustness.json, and puts the table into the page. The status is 1
if not all is survived, or something of it was not tried.
"""

import argparse
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pinet_mm import onnx_runner
from pinet_mm.errors import InputError

from tests.helpers import counts, toys
from tests.helpers.bad_images import bad_images, odd_images
from tests.helpers.counts import Count
from tests.helpers.tools import ROOT

STORE, PAGE = ROOT / 'docs' / 'robustness.json', ROOT / 'docs' / 'robustness.md'
HEAD = '| what | tried | survived before | survived now | by |\n|---|---|---|---|---|\n'


class Topic(NamedTuple):
    """A row of the table.

    Attributes:
        what: is tried.
        before: what the first trial found, of version 0.1, where there was one.
        by: the module that counts it, with its options; or files of tests, of which each test, or
            each of the named ones, is one that is tried.
        named: which tests, as `pytest -k` takes them.
    """

    what: str
    before: str
    by: str
    named: str = ''

    @property
    def is_tested(self) -> bool:
        """Whether tests are counted."""
        return self.by.startswith('tests/')


TOPICS = dict(
    door=Topic(
        'checkpoints with code, by path and by URL, as the package, MMEngine and MMPose read them: '
        'nothing run',
        'other files: 0 of 11 by URL, 32 of 32 by path',
        'tests/checkpoints/test_door.py',
        'test_code_in_a_checkpoint_is_not_run',
    ),
    hostile=Topic(
        'hostile checkpoints, configs, annotations, exports of annotation tools, exported models, '
        'images, play lists, through every tool: no process, no connection, no file outside of '
        'the output, no traceback',
        '',
        'watching FOLDER',
    ),
    downloads=Topic(
        'servers that cut off, say nothing, or have a file of the same name',
        '',
        'tests/checkpoints/test_download.py',
    ),
    faults=Topic(
        'losses, gradients and weights that are not finite: stopped before anything is saved, or '
        'passed over and counted',
        '0 of 1',
        'tests/runner/test_faults.py',
    ),
    resume=Topic(
        '`--resume` over a cut, empty, missing, foreign, bare or hostile newest file',
        '',
        'tests/runner/test_saving.py',
        'test_resume_falls_back',
    ),
    disk=Topic(
        'full disks, SIGTERM and Ctrl-C in a training: one line that says how to go on',
        '',
        'tests/runner/test_saving.py',
        'full_disk or signal',
    ),
    one=Topic(
        'trainings killed by `kill -9` while they iterate, save, save the best or validate: '
        'resumed, they end with the same iterations and the same bits',
        '',
        'soak FOLDER',
    ),
    two=Topic('the same in two processes', '', 'soak FOLDER --processes 2'),
    images=Topic(
        'images: bad ones refused in a line, odd ones read',
        '0 of 8 in `onnx_runner.py`',
        'robustness --count',
    ),
    files=Topic(
        'links to nowhere, pipes, closed folders, outputs that cannot be written, names that are '
        'taken',
        '',
        'tests/inference/sources/test_odd_files.py tests/inference/test_folders.py',
        'odd_files or cannot_be_written or named_like or names_of_their_own',
    ),
    journal=Topic(
        'inference killed at random moments: the journal holds every image that was done',
        '',
        'journal_attack FOLDER',
    ),
    resumed=Topic(
        'these runs, resumed: only the rest is predicted, the result is that of a whole run',
        '',
        'journal_attack FOLDER',
    ),
    full=Topic(
        'inference on a disk that becomes full: said, and gone on from when there is room',
        '',
        'journal_attack FOLDER',
    ),
    annotations=Topic(
        'changes of an annotation file through five tools: [faults of annotations]'
        '(annotation_faults.md#what-was-tried)',
        '27 of 106 in training',
        'tests/datasets/check/test_doors.py',
    ),
    maps=Topic(
        'batches of 1 to 8 random, huge, infinite and NaN maps, in float32, bfloat16 and float16: '
        'decoded, finite, each image as if alone',
        '',
        'random_maps',
    ),
    properties=Topic(
        'properties of fusion, OKS, targets and tracking, 60 examples each',
        '10',
        'tests/method/test_fusion_properties.py tests/method/test_target_properties.py '
        'tests/inference/test_tracking_properties.py',
    ),
    settings=Topic('wrong numbers of the codec: refused by name', '0', 'robustness --count'),
    options=Topic(
        'settings of a training that make no sense: one line, and more with `--debug`',
        '',
        'tests/cli/test_odd_options.py',
    ),
    predictions=Topic('predictions of mixed sizes: growth', '', 'long_runs'),
    iterations=Topic('iterations of a training: growth', '', 'long_runs'),
    scored=Topic(
        'predictions with score and two scales, of the light model: growth', '', 'long_runs'
    ),
    frames=Topic('frames of a video, tracked, drawn and journaled: growth', '', 'long_runs'),
    workers=Topic(
        'data workers that die: named with the cause', '0', 'tests/runner/test_dead_workers.py'
    ),
    processes=Topic(
        'two processes: unequal data (2), one of them without people, one killed, one hanging, of '
        'other settings; numbers and addresses of a launcher that make no sense: the metric and '
        'the gradients of one process, or a line within seconds',
        '',
        'tests/runner/test_two_processes.py tests/runner/test_meeting.py',
    ),
)


def refused(call, *args) -> bool:
    """Return whether a call answers with one line for users."""
    try:
        call(*args)
    except ValueError as error:
        return '\n' not in str(error)
    return False


def images() -> Iterator[bool]:
    """Yield for each bad image whether it is refused, for each odd one whether it is read."""
    for name, content in bad_images().items():
        yield refused(onnx_runner.decode_image, content, name)
    for name, content in odd_images().items():
        yield onnx_runner.decode_image(content, name) is not None


def settings() -> Iterator[bool]:
    """Yield whether wrong numbers of the codec are refused by their names."""
    for name in ('sigma', 'radius', 'background_weight', 'min_area'):
        for value in (math.nan, math.inf, 'x', None, True, [1]):
            try:
                toys.build_codec(**{name: value})
            except InputError as error:
                yield name in str(error)
            else:
                yield False


def count_of(results: Iterable[bool]) -> Count:
    """Return how many of the results are good."""
    results = list(results)
    return Count(len(results), sum(results))


def count_tests(topic: Topic) -> Count:
    """Run the tests of a topic, slow ones too; return how many there are, and how many pass."""
    words = [*topic.by.split(), *(('-k', topic.named) if topic.named else ())]
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:xdist', '-m', 'slow or not slow', *words],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    return count_outcomes(done.stdout, done.returncode)


def count_outcomes(said: str, status: int) -> Count:
    """Return how many tests there were, and how many passed, by pytest's last line and status.

    A pytest that broke off, or found no test, is itself one that failed.
    """
    last = said.rstrip().rpartition('\n')[2]
    passed, *bad = (
        sum(map(int, re.findall(rf'(\d+) {word}', last))) for word in ('passed', 'failed', 'error')
    )
    return Count(passed + (sum(bad) or int(status != 0)), passed)


def count() -> dict[str, Count]:
    """Count all that is short."""
    found = dict(images=count_of(images()), settings=count_of(settings()))
    for name, topic in TOPICS.items():
        if topic.is_tested:
            found[name] = count_tests(topic)
            print(name, *found[name], file=sys.stderr, flush=True)
    return found


def all_survived(found: dict[str, Count]) -> bool:
    """Return whether all topics were tried, and all of what was tried was survived."""
    return all(name in found and found[name].is_survived for name in TOPICS)


def to_table(found: dict[str, Count]) -> str:
    """Return the table, in Markdown."""
    rows = []
    for name, topic in TOPICS.items():
        if name in found:
            tried, survived, of, so = found[name]
            of = re.sub(r'\d{4,}', lambda digits: number(int(digits[0])), of)
            by = topic.by if topic.is_tested else f'python -m tests.helpers.{topic.by}'
            commands = by.split() if topic.is_tested else [by]
            cells = (
                topic.what,
                f'{number(tried)} ({of})' if of else number(tried),
                topic.before,
                so or number(survived),
                ', '.join(f'`{each}`' for each in commands),
            )
            rows.append(f'| {" | ".join(cells)} |\n')
    return HEAD + ''.join(rows)


def number(value: int) -> str:
    """Return a number with spaces between thousands."""
    return f'{value:,}'.replace(',', ' ')


def with_table(page: str, table: str) -> str:
    """Return a page with another table in place of the one that begins as ours do."""
    start = page.index(HEAD)
    return page[:start] + table + page[page.index('\n\n', start) + 1 :]


def main() -> int:
    parser = argparse.ArgumentParser(description='Print what is survived')
    parser.add_argument('--count', action='store_true', help='count what is short anew')
    parser.add_argument('--take', type=Path, help='folder that make soak left')
    parser.add_argument('--write', action='store_true', help='keep it, and write the page')
    args = parser.parse_args()
    found = {**counts.read(STORE), **(count() if args.count else {})}
    for path in sorted(args.take.glob('*.json')) if args.take else ():
        found |= counts.read(path)
    if args.write:
        counts.keep(STORE, **{name: found[name] for name in TOPICS if name in found})
        PAGE.write_text(with_table(PAGE.read_text(), to_table(found)))
    print(to_table(found), end='')
    return int(not all_survived(found))


if __name__ == '__main__':
    sys.exit(main())
