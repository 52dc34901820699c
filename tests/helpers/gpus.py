"""What the tests of the GPU checks share: a place on the CPU, rows and their verdicts."""

import itertools

import torch

from studies.benchmark import gpu as speed
from studies.gpu import running
from studies.gpu.running import Place

CPU = Place(torch.device('cpu'), small=True)


def verdicts(rows):
    return [row['verdict'] for row in rows]


def rows_of(check, count=None):
    """Run a check on the CPU, or its first findings alone."""

    def first(place):
        return itertools.islice(check(place), count)

    return running.run_checks(dict(check=first), CPU, 600)


# --- the benchmark -------------------------------------------------------------------------------

TINY = speed.SLIM._replace(name='tiny', side=64)
GONE = speed.LIGHT._replace(name='gone', config='pinet_gone.py')
