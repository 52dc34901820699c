"""The toy network, slower: importing this module lets every pass and every save take a while.

Only processes that end with their training import it, by `custom_imports` of its config.

The file that `SOAK_PHASE` names holds what the training does at the moment.
"""

import io
import os
import time
from pathlib import Path

import torch

from tests.helpers.toy_runs import Toy

PASS, SAVE = 0.2, 0.15  # seconds
_forward, _save = Toy.forward, torch.save


def _note(phase):
    path = os.environ.get('SOAK_PHASE')
    if path and os.environ.get('RANK', '0') == '0':
        new = Path(f'{path}.new')
        new.write_text(phase)
        new.replace(path)  # whole, whenever a kill comes


def _slow(self, x, y, mode='tensor'):
    _note('validation' if mode == 'predict' else 'iteration')
    time.sleep(PASS)
    return _forward(self, x, y, mode)


def _slow_save(content, file):
    # The first half is on the disk for a while before the second one comes.
    whole = io.BytesIO()
    _save(content, whole)
    half = len(whole.getvalue()) // 2
    _note('saving the best' if 'best_' in file.name else 'saving')
    file.write(whole.getvalue()[:half])
    file.flush()
    time.sleep(SAVE)
    file.write(whole.getvalue()[half:])


Toy.forward, torch.save = _slow, _slow_save
