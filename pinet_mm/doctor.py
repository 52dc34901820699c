"""Say what is wrong with an environment: `python -m pinet_mm.doctor`.

The exit status is 1 where something is missing or broken, else 0. Versions other than the tested
ones are only named, and so are the compiled parts and the GPU that PINet can do without.
"""

import argparse
import importlib
import io
import os
import platform
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pinet_mm

from .environment import compat, installing, packages

TESTED_PYTHONS = ('3.11',)
FATAL = ('missing', 'broken')


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


_OPENCV = ('python', 'python-headless', 'contrib-python', 'contrib-python-headless')
REQUIRED = (
    Dependency('torch', ('torch',)),
    Dependency('torchvision', ('torchvision',)),
    Dependency('numpy', ('numpy',)),
    Dependency('scipy', ('scipy',)),
    Dependency('cv2', tuple(f'opencv-{kind}' for kind in _OPENCV)),
    Dependency('mmengine', ('mmengine',)),
    Dependency('mmcv', ('mmcv', 'mmcv-lite')),
    Dependency('mmdet', ('mmdet',)),
    Dependency('mmpose', ('mmpose',)),
    # Evaluation: `packages` lets the one stand in for the other.
    Dependency('xtcocotools.cocoeval', ('faster-coco-eval', 'xtcocotools')),
    Dependency('pycocotools', ('pycocotools',)),
    Dependency('timm', ('timm',)),
    Dependency('safetensors', ('safetensors',)),
    Dependency('tqdm', ('tqdm',)),
    Dependency('pkg_resources', ('setuptools',)),  # the part of it that mmengine and mim need
    Dependency('six', ('six',)),
    Dependency('tensorboard', ('tensorboard',)),
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


def judge_version(found: str, tested: str) -> str:
    """Compare versions without their local part: 2.13.0+cpu is a build of 2.13.0."""
    return 'ok' if found.split('+')[0] == tested else 'untested'


def examine_python() -> Finding:
    """Compare the interpreter with those that were run."""
    found = platform.python_version()
    verdict = 'ok' if found.rpartition('.')[0] in TESTED_PYTHONS else 'untested'
    return Finding('Python', found, ', '.join(TESTED_PYTHONS), verdict)


def examine_dependency(dependency: Dependency, pins: dict[str, str]) -> Finding:
    """Look up the version of a dependency, and import it."""
    name, found = installed_version(dependency.distributions)
    pinned = next(known for known in dependency.distributions if known in pins)
    tested = pins[pinned]
    remedy = f'pip install "{pinned}=={tested}"'
    if not found:
        return Finding(pinned, '-', tested, 'missing', remedy)
    try:
        importlib.import_module(dependency.module)
    except Exception as error:  # every failure belongs in the report
        return Finding(name, found, tested, 'broken', f'{reason(error)}; {remedy}')
    return Finding(name, found, tested, judge_version(found, tested))


def examine_optional(name: str, pins: dict[str, str]) -> Finding:
    """Look up the version of a package that only some commands use."""
    found = installed_version((name,))[1]
    verdict = judge_version(found, pins[name]) if found else 'optional'
    return Finding(name, found or '-', pins[name], verdict)


def reason(error: BaseException) -> str:
    """Return the first line of the error at the bottom: mmengine wraps what went wrong."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return f'{type(error).__name__}: {error}'.splitlines()[0].rstrip('.')


# --- things that have to work --------------------------------------------------------------------


def import_mmpose() -> None:
    """Import all of MMPose that training and inference use."""
    for module in ('mmpose.apis', 'mmpose.models', 'mmpose.datasets', 'mmdet.models'):
        importlib.import_module(module)


def find_registered_model() -> None:
    """Look PINet up where MMPose's configs look it up.

    Raises:
        LookupError: If it is not there.
    """
    from mmpose.registry import MODELS

    importlib.import_module('pinet_mm.models.estimator')
    if MODELS.get('PINet') is None:
        raise LookupError("'PINet' is not in MMPose's registry")


def reload_checkpoint() -> None:
    """Write what mmengine puts into a checkpoint and read it under `weights_only`.

    Raises:
        ValueError: If something else came back.
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    saved = io.BytesIO()
    torch.save({'sigmas': np.ones(3, np.float32), 'loss': HistoryBuffer([0.5], [1])}, saved)
    saved.seek(0)
    loaded = torch.load(saved, weights_only=True)
    if loaded['loss'].mean() != 0.5 or loaded['sigmas'].sum() != 3:
        raise ValueError('the checkpoint came back changed')


def decode_mask() -> None:
    """Decode a run-length encoded mask, as training on COCO does.

    Raises:
        ValueError: If another mask came back.
    """
    import numpy as np
    from xtcocotools import mask

    square = np.asfortranarray(np.eye(4, dtype=np.uint8))
    if not np.array_equal(mask.decode(mask.encode(square)), square):
        raise ValueError('the mask came back changed')


CHECKS = (
    ('MMPose can be imported', import_mmpose),
    ('PINet is registered', find_registered_model),
    ('checkpoints can be read', reload_checkpoint),
    ('masks can be decoded', decode_mask),
)


def examine(name: str, check: Callable[[], None]) -> Finding:
    """Run a check; if it raises, the exception becomes the finding."""
    try:
        check()
    except Exception as error:  # every failure belongs in the report
        remedy = f'{reason(error)}; pip install -r requirements.txt'
        return Finding(name, 'no', '', 'broken', remedy)
    return Finding(name, 'yes', '', 'ok')


# --- things that are good to know ----------------------------------------------------------------


def has_cuda() -> str:
    """Return the name of the GPU, or 'no'."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else 'no'


def has_torchvision_operators() -> str:
    """Return 'yes' if torchvision's compiled part has loaded, else 'no'."""
    from torchvision.extension import _has_ops

    return 'yes' if _has_ops() else 'no'


def has_mmcv_operators() -> str:
    """Return 'yes' if mmcv has its compiled operators, else 'no'."""
    return 'yes' if packages.mmcv_has_operators() else 'no'


FACTS = (
    ('CUDA', has_cuda, 'PINet runs on the CPU as well'),
    ("torchvision's compiled part", has_torchvision_operators, 'PINet does without'),
    ("mmcv's compiled operators", has_mmcv_operators, 'PINet does without'),
)


def state(name: str, fact: Callable[[], str], without: str) -> Finding:
    """Return a fact as a line of the report, '?' where its package cannot be imported."""
    try:
        found = fact()
    except Exception:  # the package has its own line, with the error
        return Finding(name, '?', '', 'info')
    return Finding(name, found, '', 'info', without if found == 'no' else '')


# --- the report ----------------------------------------------------------------------------------


def examine_environment() -> list[Finding]:
    """Examine everything; the fixes run first, since they decide what can be imported."""
    fixes = [examine(f'fix {fix.__name__}', fix) for fix in compat.FIXES]
    pins = read_tested_versions()
    return [
        examine_python(),
        *(examine_dependency(dependency, pins) for dependency in REQUIRED),
        *(examine_optional(name, pins) for name in OPTIONAL),
        *(finding for finding in fixes if finding.verdict in FATAL),
        *(examine(*check) for check in CHECKS),
        *(state(*fact) for fact in FACTS),
    ]


def format_report(findings: list[Finding]) -> str:
    """Format the findings in columns, the remedy last."""
    rows = [Finding('', 'found', 'tested', 'verdict'), *findings]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        '  '.join(cell.ljust(width) for cell, width in zip(row, [*widths, 0])).rstrip()
        for row in rows
    ]
    return '\n'.join(lines)


def main(words: Sequence[str] | None = None, prog: str | None = 'python -m pinet_mm.doctor') -> int:
    """Print the report and return the exit status.

    Args:
        words: of the command line, by default those of the process.
        prog: the command that its help names.
    """
    argparse.ArgumentParser(prog=prog, description=__doc__).parse_args(words)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        findings = examine_environment()
    wrong = sum(finding.verdict in FATAL for finding in findings)
    print(f'pinet_mm {pinet_mm.__version__} in {os.path.dirname(pinet_mm.__file__)}\n')
    print(format_report(findings))
    print(f'\n{wrong} of these have to be put right' if wrong else '\nAll that PINet needs works.')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
