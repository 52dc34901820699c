"""Install and run the package in every Python that is found: python -m studies.platforms.matrix.

One cell at a time: an environment is made, `studies.platforms.cells` says what runs in it, then it
is removed. The results go into a JSON file after each cell; a cell that is in it is not run again.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .cells import (
    ONE_ITERATION,
    ROOT,
    Cell,
    all_cells,
    choose_torch,
    commands_of,
    find_python,
    read_bound,
)
from .table import write_table

RESULTS = ROOT / 'docs' / 'platforms.json'
PAGE = ROOT / 'docs' / 'platforms.md'
SHOWN = 'numpy', 'opencv-python', 'onnxruntime', 'torch', 'torchvision', 'mmpose', 'setuptools'
SKIPPED = {'PYTHONPATH', 'VIRTUAL_ENV', 'PYTHONHOME'}


def run_step(words: list, folder: Path, limit: float) -> dict:
    """Run a command; return seconds, whether it succeeded, and the end of what it said."""
    environment = {name: value for name, value in os.environ.items() if name not in SKIPPED}
    start = time.monotonic()
    try:
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=limit
        )
        status, said = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        status, said = -1, f'stopped after {limit:.0f} s'
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # What pytest counted stands in its last line; an error's reason as well.
    shown = lines[-1:] if status == 0 else lines[-12:]
    hidden = re.compile(r'(file://)?(/[\w.+-]+)+/')  # folders of this machine
    return dict(
        seconds=round(time.monotonic() - start, 1),
        ok=status == 0,
        said=[hidden.sub('', line)[:300] for line in shown],
    )


def run_cell(cell: Cell, wheel: Path, work: Path, limit: float, uv: str | None = None) -> dict:
    """Make the environment of a cell, run its steps until one fails, and remove it.

    Args:
        cell: the cell.
        wheel: of the package.
        work: folder for the environment; emptied.
        limit: seconds that a step may take.
        uv: the program that installs in place of pip.

    Returns:
        `status` (ok, failed, no interpreter, no wheel), versions, size and steps.
    """
    python = find_python(cell.python)
    if python is None:
        return dict(status='no interpreter')
    shutil.rmtree(work, ignore_errors=True)
    run = work / 'run'
    run.mkdir(parents=True)
    try:
        subprocess.run([python, '-m', 'venv', work / 'venv'], check=True)
        return _run_steps(cell, wheel, run, limit, uv)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run_steps(cell: Cell, wheel: Path, run: Path, limit: float, uv: str | None) -> dict:
    folder = run.parent / 'venv' / 'bin'
    torch = None
    if cell.torch:
        listed = subprocess.run(
            [folder / 'python', '-m', 'pip', 'index', 'versions', 'torch'],
            capture_output=True,
            text=True,
        )
        torch = choose_torch(listed.stdout, cell.torch, read_bound())
        if torch is None:
            return dict(status='no wheel')
    (run / 'one_iteration.py').write_text(ONE_ITERATION)
    steps: dict[str, dict] = {}
    for name, words in commands_of(cell, folder, wheel, torch, uv).items():
        steps[name] = run_step(words, ROOT if name == 'tests' else run, limit)
        print(f'{cell.name}: {name}: {steps[name]}', flush=True)
        if not steps[name]['ok'] and name.startswith(('install', 'mmpose', 'test_packages')):
            break
    status = 'ok' if all(step['ok'] for step in steps.values()) else 'failed'
    by = 'uv' if uv else 'pip'
    return dict(status=status, installed_by=by, **describe(folder), steps=steps)


def describe(folder: Path) -> dict:
    """Return the versions and the size of an environment.

    Args:
        folder: its `bin`.
    """
    frozen = subprocess.run(
        [folder / 'python', '-m', 'pip', 'list', '--format', 'json'],
        capture_output=True,
        text=True,
        check=True,
    )
    versions = {each['name']: each['version'] for each in json.loads(frozen.stdout)}
    code = 'import platform; print(platform.python_version())'
    python = subprocess.run([folder / 'python', '-c', code], capture_output=True, text=True)
    files = (path for path in folder.parent.rglob('*') if path.is_file() and not path.is_symlink())
    return dict(
        python=python.stdout.strip(),
        versions={name: versions[name] for name in SHOWN if name in versions},
        megabytes=round(sum(path.stat().st_size for path in files) / 1e6),
    )


def build_wheel(folder: Path) -> Path:
    """Build the package's wheel and return its path."""
    shutil.rmtree(folder, ignore_errors=True)
    words = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '-w', folder, ROOT]
    subprocess.run(words, check=True)
    return next(folder.glob('*.whl'))


def main() -> None:
    """Run the cells that have no result yet, and write the table of all."""
    parser = argparse.ArgumentParser(description='Install and run the package in every Python')
    parser.add_argument('--work', type=Path, default=ROOT / 'work_dirs' / 'platforms')
    parser.add_argument('--limit', type=float, default=1200, help='seconds of a step')
    parser.add_argument('--uv', metavar='PROGRAM', help='install with uv, faster than pip')
    parser.add_argument('--only', nargs='+', metavar='WORD', help='cells with all these words')
    parser.add_argument('--again', action='store_true', help='run cells that have a result too')
    args = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    chosen = [cell for cell in all_cells() if set(args.only or ()) <= set(cell)]
    todo = [cell for cell in chosen if args.again or cell.name not in results]
    wheel = build_wheel(args.work / 'wheel') if todo else None
    for cell in todo:
        results[cell.name] = run_cell(cell, wheel, args.work / 'cell', args.limit, args.uv)
        RESULTS.write_text(json.dumps(results, indent=1) + '\n')
        write_table(PAGE, results)


if __name__ == '__main__':
    main()
