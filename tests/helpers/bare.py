"""Fresh interpreters that see only some packages; with `compat` alone; lines of the doctor."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from pinet_mm.environment import compat

LOAD_COMPAT = f"""
import importlib.util, sys
init = {str(Path(compat.__file__).with_name('__init__.py'))!r}
spec = importlib.util.spec_from_file_location('environment', init)
sys.modules['environment'] = importlib.util.module_from_spec(spec)
from environment import compat, packages
"""


def run_script(script, *options, path=''):
    """Run a script that has `compat`, but not the package, in a fresh interpreter."""
    code = LOAD_COMPAT + textwrap.dedent(script)
    return subprocess.run(
        [sys.executable, *options, '-c', code],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(path)},
    )


def run_bare(script, packages):
    """Run a script in an interpreter that sees just the packages of this folder."""
    return run_script(script, '-S', path=packages)


def write_packages(folder, **sources):
    """Write packages of one source text each; '' is an empty one."""
    for name, source in sources.items():
        (folder / name).mkdir(parents=True)
        (folder / name / '__init__.py').write_text(textwrap.dedent(source))
    return folder


def link_packages_without(folder, *absent):
    """Make a folder of all that is installed here, but what starts with one of these names."""
    folder.mkdir()
    for site in {Path(path) for path in sys.path if path.endswith('site-packages')}:
        for entry in site.iterdir():
            if not entry.name.startswith(absent):
                (folder / entry.name).symlink_to(entry)
    return folder


def line_of(report, name):
    """Find the line of a report that starts with a name, without repeated spaces."""
    lines = [' '.join(line.split()) for line in report.splitlines()]
    return next(line for line in lines if line.startswith(f'{name} '))
