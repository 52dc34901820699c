"""What `make` and users put into a checkout stays out of commits, links to it included."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def git(folder, *words):
    """Return the lines that git prints in a folder."""
    done = subprocess.run(['git', *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


@pytest.mark.skipif(not shutil.which('git'), reason='needs git')
@pytest.mark.parametrize('name', ['.venv', 'data', 'work_dirs'])
def test_links_to_shared_folders_are_ignored(tmp_path, name):
    checkout = tmp_path / 'checkout'
    checkout.mkdir()
    git(checkout, 'init', '--quiet')
    shutil.copy(ROOT / '.gitignore', checkout)
    (tmp_path / 'elsewhere').mkdir()
    (checkout / name).symlink_to(tmp_path / 'elsewhere')
    git(checkout, 'add', '--all')
    assert git(checkout, 'ls-files') == ['.gitignore']
