"""Speed on a GPU: images per second, the share of the decoding, training, and the host's part.

Steps run in the order of their importance until a budget is used up; what is left out is listed.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from pinet_mm.configs import config_path

import torch

from .gpu_cases import (
    PRECISIONS,
    Case,
    Network,
    Trainer,
    backbone_of,
    backend_flags,
    build_model,
    decoding_of,
    finder_of,
    make_inputs,
    prepare,
)
from .gpu_host import host_rows
from .gpu_tables import (
    AS_SHIPPED,
    HOST,
    IMAGES,
    KEEPING,
    KERNELS,
    LIGHT,
    NOTES,
    SHARE,
    SLIM,
    TRAINING,
    WIDE,
    to_tables,
)
from .gpu_timing import device_time, kernel_times, peak_of
from .keeping import WAYS, keeping_rows
from .report import Table
from .steps import Step, choose, run_step

NETWORKS = (WIDE, LIGHT, AS_SHIPPED, SLIM)
BATCHES = (1, 2, 4, 8, 16, 32, 64)


class GPUBenchmark:
    """Measure the networks of the project on one device.

    Args:
        device: where; a CPU takes the smallest network and batches alone.
        networks: that are measured; those whose config does not exist are left out.
        batches: sizes; by default all of `BATCHES`, of which graphs and compiled code take some.
    """

    def __init__(
        self,
        device: str,
        networks: tuple[Network, ...] = NETWORKS,
        batches: Sequence[int] | None = None,
    ):
        self.device, self.cuda = device, torch.device(device).type == 'cuda'
        self.missing = [network for network in networks if not _exists(network.config)]
        self.networks = [network for network in networks if network not in self.missing]
        self.batches = batches or (BATCHES if self.cuda else (1, 2))
        self.recorded = batches or (1, 16, 64)
        # By network and precision: layout and cudnn.benchmark that were fastest.
        self.best: dict[tuple[str, str], tuple[bool, bool]] = {}
        self.models: dict[str, torch.nn.Module] = {}
        self.seconds = 0.3 if self.cuda else 0.05

    def steps(self) -> Iterator[Step]:
        """List all steps, the most important first."""
        yield from self._headlines()
        yield from self._shares()
        yield from self._trainings()
        for network in self.networks:
            yield Step(f'host part of {network.name}', HOST, partial(self._host, network))
        for way in list(WAYS)[: 3 if self.cuda else 2]:
            rows = partial(keeping_rows, way, self.device, self.recorded, self.seconds)
            yield Step(f'which poses are kept, {way}', KEEPING, rows)
        for precision in PRECISIONS:
            yield from self._grid('eager', self.batches, precision)
            if self.cuda:
                yield from self._grid('CUDA graph', self.recorded, precision)
        if self.cuda:
            yield from self._grid('compiled', self.recorded, 'bf16')
        # Last, since what is timed after the profiler has run takes up to twice as long.
        for network in self.networks[:2]:
            yield Step(f'kernels of {network.name}', KERNELS, partial(self._kernels, network))

    def _headlines(self) -> Iterator[Step]:
        heads = [(WIDE, 'fp32', 1), (WIDE, 'bf16', 16), (LIGHT, 'bf16', 64)]
        heads = [head for head in heads if self.cuda and head[0] in self.networks]
        for network, precision, batch in heads or [(self.networks[0], 'bf16', self.batches[0])]:
            case = Case(network, precision, batch)
            yield Step(_name(case, 'layouts'), IMAGES, partial(self._layouts, case))
        if self.cuda:
            for network, batch in ((WIDE, 16), (LIGHT, 64), (WIDE, 64)):
                if network in self.networks:
                    case = Case(network, 'bf16', batch, 'CUDA graph')
                    yield Step(_name(case), IMAGES, partial(self._measure, case))

    def _shares(self) -> Iterator[Step]:
        batch = 8 if self.cuda else self.batches[0]
        for precision in ('bf16', 'fp32 TF32', 'fp32'):
            for network in self.networks[:2]:
                for way in ('eager', 'CUDA graph')[: 1 + self.cuda]:
                    case = Case(network, precision, batch, way)
                    yield Step(_name(case, 'share'), SHARE, partial(self._share, case))

    def _trainings(self) -> Iterator[Step]:
        batches = {WIDE: 20, LIGHT: 64}
        for precision in ('bf16', 'fp16', 'fp32 TF32'):
            for network in [each for each in self.networks if each in batches] or self.networks[:1]:
                case = Case(
                    network, precision, batches.get(network, 16) if self.cuda else self.batches[0]
                )
                yield Step(_name(case, 'training'), TRAINING, partial(self._train, case))

    def _grid(self, way: str, batches: Sequence[int], precision: str) -> Iterator[Step]:
        for network in self.networks:
            for batch in batches:
                case = Case(network, precision, batch, way)
                yield Step(_name(case), IMAGES, partial(self._measure, case))

    def _model(self, network: Network) -> torch.nn.Module:
        if network.name not in self.models:
            self.models[network.name] = build_model(network, self.device)
        return self.models[network.name]

    def _settled(self, case: Case) -> Case:
        # The layout and tuning that were found best for the precision, or for half precision.
        half = case.precision in ('fp16', 'bf16')
        relatives = ('bf16', 'fp16') if half else ('fp32', 'fp32 TF32')
        for precision in (case.precision, *relatives):
            for network in (case.network, *self.networks):
                if (network.name, precision) in self.best:
                    layout, tuned = self.best[network.name, precision]
                    return case._replace(channels_last=layout, tuned=tuned)
        return case._replace(channels_last=half)

    def _time(self, case: Case) -> float:
        with torch.no_grad(), backend_flags(case.precision, case.tuned):
            model = prepare(self._model(case.network), case)
            inputs = make_inputs(model, case.batch)
            return device_time(finder_of(model, case, inputs), self.device, self.seconds)

    def _layouts(self, case: Case) -> Iterator[dict[str, object]]:
        found = {}
        for tuned in (False, True)[: 1 + self.cuda]:
            for layout in (False, True):
                found[layout, tuned] = self._time(case._replace(channels_last=layout, tuned=tuned))
                yield _speed(case._replace(channels_last=layout, tuned=tuned), found[layout, tuned])
                self.best[case.network.name, case.precision] = min(found, key=found.get)

    def _measure(self, case: Case) -> Iterator[dict[str, object]]:
        case = self._settled(case)
        yield _speed(case, self._time(case))

    def _share(self, case: Case) -> Iterator[dict[str, object]]:
        case = self._settled(case)
        with torch.no_grad(), backend_flags(case.precision, case.tuned):
            model = prepare(self._model(case.network), case)
            inputs = make_inputs(model, case.batch)
            whole, backbone = (
                device_time(make(model, case, inputs), self.device, self.seconds)
                for make in (finder_of, backbone_of)
            )
        yield {
            **case.row(),
            'ms': whole,
            'backbone and neck, ms': backbone,
            'rest, ms': whole - backbone,
            'share of the rest': 1 - backbone / whole,
        }

    def _kernels(self, network: Network) -> Iterator[dict[str, object]]:
        case = self._settled(Case(network, 'bf16', 8 if self.cuda else self.batches[0]))
        with torch.no_grad(), backend_flags(case.precision, False):
            model = prepare(self._model(network), case)
            run = decoding_of(model, make_inputs(model, case.batch))
            for row in kernel_times(run, self.device):
                place = dict(network=network.name, precision=case.precision, batch=case.batch)
                yield {**place, **row}

    def _train(self, case: Case) -> Iterator[dict[str, object]]:
        # Both layouts once; the other precisions take the one that is faster in half precision.
        for layout in (False, True) if case.precision == 'bf16' else (True,):
            own = case._replace(channels_last=layout)
            with backend_flags(own.precision, False):
                step = Trainer(own, self.device)
                step()
                peak = peak_of(self.device, step)
                ms = device_time(step, self.device, 2 * self.seconds)
            yield {**_speed(own, ms), 'peak MB': peak}

    def _host(self, network: Network) -> Iterator[dict[str, object]]:
        case = self._settled(
            Case(network, 'bf16' if self.cuda else 'fp32', 16 if self.cuda else self.batches[0])
        )
        with backend_flags(case.precision, False):
            yield from host_rows(prepare(self._model(network), case), case, self.device)


def _exists(config: str) -> bool:
    try:
        return bool(config_path(config))
    except FileNotFoundError:
        return False


def _name(case: Case, what: str = 'speed') -> str:
    return f'{what} of {case.network.name}, {case.precision}, batch {case.batch}, {case.way}'


def _speed(case: Case, ms: float) -> dict[str, object]:
    return {**case.row(), 'ms': ms, 'images/s': 1000 * case.batch / ms}


def bench_gpu(
    budget: float = 120,
    device: str = 'cuda:0',
    networks: tuple[Network, ...] = NETWORKS,
    batches: Sequence[int] | None = None,
    tell: Callable[[str], None] = lambda text: None,
    only: Sequence[str] = (),
) -> list[Table]:
    """Measure until the budget is used up.

    Args:
        budget: seconds; no step starts after it, and the one that runs is stopped.
        device: where; on a CPU the last of the networks alone, to try the code out.
        networks: see `GPUBenchmark`.
        batches: likewise.
        tell: called with a line about every row.
        only: words; the steps whose name contains one, in the words' order, instead of all.
    """
    cuda = torch.device(device).type == 'cuda'
    bench = GPUBenchmark(device, networks if cuda else networks[-1:], batches)
    found: dict[str, list[dict]] = {title: [] for title in NOTES}
    left = [
        dict(step=network.name, reason=f'there is no config {network.config}')
        for network in bench.missing
    ]
    end, done = time.monotonic() + budget, set()
    for step in choose(bench.steps(), only):
        if step.name in done:
            continue
        done.add(step.name)
        reason = run_step(step, end - time.monotonic(), found[step.table], tell)
        if reason:
            left.append(dict(step=step.name, reason=reason))
            tell(f'left out: {step.name}: {reason}')
    return to_tables(found, left)
