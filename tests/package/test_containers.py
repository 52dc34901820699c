"""The images of docker/: what they are built from, who runs in them, what they weigh."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / 'docker' / name for name in ('Dockerfile', 'Dockerfile.train')]
every_file = pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)


def instructions(path):
    """Return (word, rest) of each instruction, continued lines joined."""
    text = re.sub(r'^\s*#.*\n', '', path.read_text(), flags=re.M).replace('\\\n', ' ')
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def pins_of(path):
    return dict(re.findall(r'^([\w-]+)==([^;\s]+)', path.read_text(), flags=re.M))


@every_file
def test_image_is_slim_and_runs_as_nobody_special(path):
    found = instructions(path)
    bases = {rest.split()[0] for word, rest in found if word == 'FROM'}
    assert bases == {'python:3.11-slim-bookworm'}
    after_copying = [rest for word, rest in found if word == 'USER']
    assert after_copying == ['1000']
    words = [word for word, _ in found]
    assert 'RUN' not in words[words.index('USER') :]
    assert dict(found)['ENTRYPOINT'] == '["pinet-mm"]' and json.loads(dict(found)['CMD'])


@every_file
def test_hadolint_finds_nothing(path):
    hadolint = shutil.which('hadolint') or ROOT / '.venv' / 'bin' / 'hadolint'
    if not Path(hadolint).is_file():
        pytest.skip('hadolint is not installed')
    done = subprocess.run([hadolint, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_light_image_holds_the_tested_versions():
    light, tested = (
        pins_of(ROOT / name) for name in ('docker/requirements.txt', 'requirements.txt')
    )
    light['opencv-python'] = light.pop('opencv-python-headless')
    assert light == {name: tested[name] for name in light}
    setup = (ROOT / 'setup.cfg').read_text()
    required = setup[setup.index('install_requires') : setup.index('[options.entry_points]')]
    assert set(light) == set(re.findall(r'^    (\w[\w-]*)', required, flags=re.M))


def test_light_image_leaves_out_the_tests_of_its_packages(tmp_path):
    run = next(rest for word, rest in instructions(FILES[0]) if 'find' in rest)
    kept = [tmp_path / name for name in ('numpy/core.py', 'scipy/testing.py', 'other/tests/a.py')]
    gone = [tmp_path / name for name in ('numpy/a/tests/b/c.py', 'scipy/tests/d.py')]
    for file in (*kept, *gone):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    command = run[run.index('find ') :].replace('/usr/local/lib/python3.11/site-packages/', '')
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    assert sorted(each for each in tmp_path.rglob('*') if each.is_file()) == sorted(kept)


def test_context_holds_what_the_wheel_is_built_from():
    kept = re.findall(r'^!(\S+)', (ROOT / '.dockerignore').read_text(), flags=re.M)
    assert all((ROOT / name).exists() for name in kept)
    setup = (ROOT / 'setup.py').read_text()
    shipped = re.search(r'^SHIPPED = \((.*)\)', setup, flags=re.M)[1]
    assert {'pinet_mm', 'setup.cfg', 'setup.py', 'pyproject.toml', 'README.md'} <= set(kept)
    assert set(re.findall(r"'([^']+)'", shipped)) <= set(kept)


@pytest.mark.parametrize(
    'words, status, said',
    [
        ([], 3, 'no Docker daemon answers here: pinet-mm was not built'),
        (['train'], 3, 'no Docker daemon answers here: pinet-mm:train was not built'),
        (['other'], 2, 'usage: docker/build.sh [light | train]'),
    ],
)
def test_script_says_where_nothing_can_be_built(tmp_path, words, status, said):
    (tmp_path / 'docker').write_text('#!/bin/sh\nexit 1\n')
    (tmp_path / 'docker').chmod(0o755)
    done = subprocess.run(
        ['bash', ROOT / 'docker' / 'build.sh', *words],
        capture_output=True,
        text=True,
        env=dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}'),
    )
    assert (done.returncode, done.stderr) == (status, f'{said}\n')


@pytest.mark.parametrize('words, file', [([], 'Dockerfile'), (['train'], 'Dockerfile.train')])
def test_script_builds_and_runs_where_docker_is(tmp_path, words, file):
    (tmp_path / 'docker').write_text('#!/bin/sh\n[ "$1" = info ] || echo "$@"\n')
    (tmp_path / 'docker').chmod(0o755)
    done = subprocess.run(
        ['bash', ROOT / 'docker' / 'build.sh', *words],
        capture_output=True,
        text=True,
        env=dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}'),
    )
    tag = 'pinet-mm:train' if words else 'pinet-mm'
    first, _, last = done.stdout.splitlines()
    assert first == f'build --file docker/{file} --tag {tag} .'
    assert last == f'run --rm {tag} doctor'


def test_shared_memory_is_spoken_of():
    assert '--shm-size' in FILES[1].read_text()
    assert '--shm-size' in (ROOT / 'docs' / 'platforms.md').read_text()
