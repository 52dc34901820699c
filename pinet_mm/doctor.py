"""Say what is wrong with an environment: `python -m pinet_mm.doctor`.

The exit status is 1 if something is missing or broken, else 0. Versions other than the tested ones,
and a GPU or compiled parts that PINet can do without, are listed and do not count.
"""

import argparse
import importlib
import os
import platform
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pinet_mm

from .environment import compat, facts, installing
from .environment.checks import decode_mask, import_mmpose, reload_checkpoint
from .environment.printing import run_for_reader
from .environment.tested import PYTHONS, judge_version

FATAL = ('missing', 'broken')
VERDICTS = ('ok', 'untested', 'optional', 'info', *FATAL)
# Of columns: names are known, "torchvision's compiled part" is the longest; most versions fit.
NAME_WIDTH, FOUND_WIDTH = 27, 10


class Finding(NamedTuple):
    """One line of the report; `verdict` is ok, untested, optional, info, missing or broken."""

    name: str
    found: str
    tested: str
    verdict: str
    remedy: str = ''


class Dependency(NamedTuple):
    """A module to import, and the distributions any of which provides it."""

    module: str
    distributions: tuple[str, ...]


_OPENCV = facts.OPENCV
REQUIRED = (
    Dependency('torch', ('torch',)),
    Dependency('torchvision', ('torchvision',)),
    Dependency('numpy', ('numpy',)),
    Dependency('scipy', ('scipy',)),
    Dependency('cv2', _OPENCV),
    Dependency('mmengine', ('mmengine',)),
    Dependency('mmcv', ('mmcv', 'mmcv-lite')),
    Dependency('mmdet', ('mmdet',)),
    Dependency('mmpose', ('mmpose',)),
    # For evaluation; `environment.packages` lets the first stand in for the second.
    Dependency('xtcocotools.cocoeval', ('faster-coco-eval', 'xtcocotools')),
    Dependency('pycocotools', ('pycocotools',)),
    Dependency('timm', ('timm',)),
    Dependency('safetensors', ('safetensors',)),
    Dependency('PIL', ('pillow',)),
    Dependency('tqdm', ('tqdm',)),
    Dependency('pkg_resources', ('setuptools',)),  # the part of it that mmengine and mim need
    Dependency('six', ('six',)),
    Dependency('tensorboard', ('tensorboard',)),
)
# The light runtime needs no more than these.
LIGHT = (
    Dependency('numpy', ('numpy',)),
    Dependency('scipy', ('scipy',)),
    Dependency('cv2', _OPENCV),
    Dependency('onnxruntime', ('onnxruntime',)),
    Dependency('PIL', ('pillow',)),
    Dependency('tqdm', ('tqdm',)),
)
OPTIONAL = ('xtcocotools', 'onnx', 'onnxruntime', 'onnxscript', 'openmim', 'openxlab')


# --- versions ------------------------------------------------------------------------------------


def read_tested_versions() -> dict[str, str]:
    """Read the tested versions: from the wheel's requirements.txt, or from the checkout's."""
    package = Path(__file__).resolve().parent
    shipped, beside = package / '.mim' / 'requirements.txt', package.parent / 'requirements.txt'
    pins = parse_pins((shipped if shipped.is_file() else beside).read_text())
    return dict(pins, mmpose=installing.MMPOSE)


def parse_pins(text: str) -> dict[str, str]:
    """Map distribution to version for the lines `name==version`."""
    pins = re.findall(r'^([\w.-]+)==([\w.]+)', text, flags=re.MULTILINE)
    return {normalize(name): version for name, version in pins}


def normalize(name: str) -> str:
    """Return a distribution's name as package indexes spell it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def installed_version(distributions: tuple[str, ...]) -> tuple[str, str]:
    """Return name and version of the first of these that is installed, else two empty strings."""
    for name in distributions:
        try:
            return name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return '', ''


def examine_python() -> Finding:
    """Compare the version of Python with the tested ones."""
    found = platform.python_version()
    verdict = 'ok' if found.rpartition('.')[0] in PYTHONS else 'untested'
    return Finding('Python', found, ', '.join(PYTHONS), verdict)


def examine_dependency(dependency: Dependency, pins: dict[str, str]) -> Finding:
    """Look up the version of a dependency, and import it."""
    name, found = installed_version(dependency.distributions)
    pinned = next(known for known in dependency.distributions if known in pins)
    tested = pins[pinned]
    remedy = f'pip install "{pinned}=={tested}"'
    if pinned == 'mmpose':  # some of what it requires does not build
        remedy = installing.INSTALL_MMPOSE
    if not found:
        return Finding(pinned, '-', tested, 'missing', remedy)
    try:
        importlib.import_module(dependency.module)
    except Exception as error:  # every failure belongs in the report
        return Finding(name, found, tested, 'broken', f'{reason(error)}; {remedy}')
    return Finding(name, found, tested, judge_version(name, found, tested))


def examine_optional(name: str, pins: dict[str, str]) -> Finding:
    """Look up the version of a package that only some commands use."""
    found = installed_version((name,))[1]
    verdict = judge_version(name, found, pins[name]) if found else 'optional'
    return Finding(name, found or '-', pins[name], verdict)


def reason(error: BaseException) -> str:
    """Return the first line of the error at the bottom: mmengine wraps what went wrong."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return f'{type(error).__name__}: {error}'.splitlines()[0].rstrip('.')


# --- what has to work ----------------------------------------------------------------------------


def find_registered_model() -> None:
    """Look PINet up where MMPose's configs look it up.

    Raises:
        LookupError: If it is not there.
    """
    from mmpose.registry import MODELS

    importlib.import_module('pinet_mm.models.estimator')
    if MODELS.get('PINet') is None:
        raise LookupError("'PINet' is not in MMPose's registry")


def find_poses() -> None:
    """Run the model that the package ships on an empty image, without torch.

    Raises:
        ValueError: It finds somebody there.
    """
    import numpy as np

    onnx_runner = importlib.import_module('pinet_mm.onnx_runner')
    weights = Path(pinet_mm.__file__).parent / 'weights'
    model = onnx_runner.OnnxPoses(next(iter(sorted(weights.glob('*.onnx')))))
    if (model(np.zeros((64, 64, 3), np.uint8))['scores'] > 0.5).any():
        raise ValueError('the shipped model finds a person in an empty image')


LIGHT_CHECKS = (('the shipped model runs', find_poses, installing.install_light),)
CHECKS = (
    ('MMPose can be imported', import_mmpose),
    ('PINet is registered', find_registered_model),
    ('checkpoints can be read', reload_checkpoint),
    ('masks can be decoded', decode_mask),
)


def examine(
    name: str, check: Callable[[], None], install: Callable[[], str] = installing.install_whole
) -> Finding:
    """Run a check; if it raises, the exception and `install()` become the finding."""
    try:
        check()
    except Exception as error:  # every failure belongs in the report
        return Finding(name, 'no', '', 'broken', f'{reason(error)}; {install()}')
    return Finding(name, 'yes', '', 'ok')


# --- facts that do not count --------------------------------------------------------------------


def state(name: str, fact: Callable[[], str], remedy: str) -> Finding:
    """Return a fact as a line of the report, '?' where its package cannot be imported."""
    try:
        found, _, why = fact().partition(': ')
    except Exception:  # the package has its own line, with the error
        return Finding(name, '?', '', 'info')
    advice = '; '.join(filter(None, (why, remedy))) if found in ('no', 'two') else ''
    return Finding(name, found, '', 'info', advice)


# --- the report ----------------------------------------------------------------------------------


def is_light() -> bool:
    """Return whether this is an environment of the light runtime, without anything of OpenMMLab."""
    return not any(map(installing.is_installed, ('mmengine', 'mmdet', 'mmpose')))


def examine_light() -> Iterator[Finding]:
    """Examine what the light runtime needs, one finding after the other."""
    pins = read_tested_versions()
    yield examine_python()
    yield from (examine_dependency(dependency, pins) for dependency in LIGHT)
    yield from (examine(*check) for check in LIGHT_CHECKS)
    yield from (state(*fact) for fact in facts.LIGHT_FACTS)


def examine_environment() -> Iterator[Finding]:
    """Examine everything; the fixes run first, since they decide what can be imported."""
    fixes = [examine(f'fix {fix.__name__}', fix) for fix in compat.FIXES]
    pins = read_tested_versions()
    yield examine_python()
    yield from (examine_dependency(dependency, pins) for dependency in REQUIRED)
    yield from (examine_optional(name, pins) for name in OPTIONAL)
    yield from (finding for finding in fixes if finding.verdict in FATAL)
    yield from (examine(*check) for check in (*LIGHT_CHECKS, *CHECKS))
    yield from (state(*fact) for fact in facts.FACTS)


def without_repeats(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Name the first line that gave a reason where others have the same: a package breaks several.

    Args:
        findings: the lines; a reason stands before what is advised and a semicolon.
    """
    first: dict[str, str] = {}
    for finding in findings:
        why, advised, _ = finding.remedy.partition('; ')
        name = first.setdefault(why, finding.name) if advised else finding.name
        yield finding if name == finding.name else finding._replace(remedy=f'as {name}, above')


def format_line(finding: Finding) -> str:
    """Format a finding in columns of fixed widths, the remedy last: the next are not known yet."""
    widths = (NAME_WIDTH, FOUND_WIDTH, len(', '.join(PYTHONS)), max(map(len, VERDICTS)), 0)
    return '  '.join(cell.ljust(width) for cell, width in zip(finding, widths)).rstrip()


def main(words: Sequence[str] | None = None, prog: str | None = 'python -m pinet_mm.doctor') -> int:
    """Read the command line, print the report and return the exit status.

    Args:
        words: of the command line, by default those of the process.
        prog: the command that its help names.
    """
    parser = argparse.ArgumentParser(prog=prog, description=__doc__, epilog=f'examples: {prog}')
    run_for_reader(lambda: parser.parse_args(words))
    return run_for_reader(report)


def report() -> int:
    """Print the report and return the exit status."""
    light, wrong = is_light(), 0
    print(f'pinet_mm {pinet_mm.__version__} in {os.path.dirname(pinet_mm.__file__)}\n')
    print(format_line(Finding('', 'found', 'tested', 'verdict')), flush=True)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for finding in without_repeats(examine_light() if light else examine_environment()):
            print(format_line(finding), flush=True)
            wrong += finding.verdict in FATAL
    if wrong:
        print(f'\nto be fixed: {wrong} of these')
    else:
        print(f'\nAll that {"the light runtime" if light else "PINet"} needs works.')
    if light:
        print(installing.explain('Training'))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
