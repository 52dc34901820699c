"""Hostile files through the tools: nothing is started, connected to, or written elsewhere."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers.tools import ROOT

pytestmark = pytest.mark.slow

LOADS = """
import pickle, sys
from pathlib import Path
from tests.helpers.watching import Watch, listen
from tests.helpers.hostile_files import calls
root = Path(sys.argv[1])
port, met = listen()
watch = Watch(root / 'out')
for name, call in calls(root / 'place', port).items():
    data = pickle.dumps(call)
    with watch.on() as did:
        try:
            pickle.loads(data)
        except Exception:
            pass
    print(name, len(did))
"""


def run(*words):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_what_a_pickle_may_call_is_seen(tmp_path):
    # Otherwise the next test would see nothing whatever happened.
    seen = dict(line.split() for line in run('-c', LOADS, tmp_path).splitlines())
    assert len(seen) == 9 and '0' not in seen.values(), seen


def test_hostile_files_do_nothing_but_what_they_may(tmp_path):
    run('-m', 'tests.helpers.watching', tmp_path, '--every', 9)
    lines = (tmp_path / 'cases.jsonl').read_text().splitlines()
    cases = [json.loads(line) for line in lines]
    assert {each['kind'] for each in cases} >= {'checkpoints', 'configs', 'annotations', 'images'}
    assert [each for each in cases if each['did'] or each['outcome'] in ('traceback', 'died')] == []
