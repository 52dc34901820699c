"""A slim model and made-up timings for the tests of the benchmark."""

from studies.benchmark import (
    scaling,
)
from studies.benchmark.report import Table

SLIM = 'pinet_hrnet-slim_crowdsynth.py'
STAGES = ['average', 'peaks', 'gather', 'sampling', 'refinement', 'scoring', 'fusion', 'packing']

# --- scaling -------------------------------------------------------------------------------------


def made_up(axis, values, batch=1):
    cases = [
        scaling.Case('c', None, 'cpu')._replace(batch=batch, **{axis: value})
        if axis != 'batch'
        else scaling.Case('c', None, 'cpu', batch=value)
        for value in values
    ]
    times = [
        dict.fromkeys(['input', 'backbone', 'branches', *STAGES], float(i + 1))
        for i in range(len(cases))
    ]
    rows = scaling._rows(axis, cases, times, [100.0 * (i + 1) for i in range(len(cases))])
    return Table('scaling', f'Cost by {axis}', '', rows)
