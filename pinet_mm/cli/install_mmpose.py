"""Install MMPose without two packages that do not build: pinet-mm install-mmpose [--dry-run].

MMPose 1.3.2 requires chumpy and xtcocotools, which do not build on today's Python and which PINet
does not need. All else that MMPose imports comes with `pip install 'pinet_mm[train]'`.
"""

import argparse
import shlex
import shutil
import subprocess
import sys

from ..environment.installing import MMPOSE
from ..errors import RunError
from . import command

EXAMPLES = (
    '',
    '--dry-run',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description='Install MMPose beside the extra train, without chumpy and xtcocotools'
    )
    parser.add_argument('--dry-run', action='store_true', help='only show the command')
    return parser


def install_command() -> list[str]:
    """Return the command for this Python: pip's, or uv's in an environment without pip."""
    words = ['install', '--no-deps', f'mmpose=={MMPOSE}']
    uv = shutil.which('uv')
    if uv and not _has_pip():
        return [uv, 'pip', *words[:1], '--python', sys.executable, *words[1:]]
    return [sys.executable, '-m', 'pip', *words]


def _has_pip() -> bool:
    return subprocess.run([sys.executable, '-c', 'import pip'], capture_output=True).returncode == 0


def run(args: argparse.Namespace) -> None:
    """Show the command, then run it.

    Raises:
        RunError: it failed, and has printed why.
    """
    words = install_command()
    print(shlex.join(words), flush=True)
    if args.dry_run:
        return
    status = subprocess.run(words).returncode
    if status:
        raise RunError(f'this command ended with status {status}')


main = command(make_parser, run, examples=EXAMPLES)
