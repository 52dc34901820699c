"""Repairs of packages that MMPose imports and that are missing, incomplete or broken today.

Each function repairs one fault, before MMPose is imported; a second call changes nothing.
"""

import functools
import importlib
import importlib.util
import pkgutil
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from .deferred import deferred

# Stands in for packages that have no wheel, or were removed from others.
STAND_INS = Path(__file__).with_name('stand_ins')

# What is drawn with by packages that are imported for other things.
DRAWING = {
    'matplotlib.pyplot': (),
    'matplotlib.collections': ('PatchCollection',),
    'matplotlib.patches': ('Polygon',),
}

_torchvision_schemas: list = []  # torch forgets a schema as soon as its Library object is collected


def installed(*packages: str) -> bool:
    """Return whether all of these top-level packages can be found, without importing them."""
    return all(importlib.util.find_spec(name) for name in packages)


# --- Python, setuptools, xtcocotools -------------------------------------------------------------


def restore_find_loader() -> None:
    """Give `pkgutil` the function back that Python 3.14 removed; mmengine and mmcv call it."""
    if not hasattr(pkgutil, 'find_loader'):
        pkgutil.find_loader = _find_loader


def _find_loader(fullname: str):
    spec = importlib.util.find_spec(fullname)
    return spec and spec.loader


def add_stand_ins() -> None:
    """Let imports find the modules of `stand_ins` where the packages themselves are missing.

    These are xtcocotools, which has no wheels from Python 3.12 on, and `pkg_resources`, which
    setuptools no longer has from version 82 on. Their folder comes last, so that an installed
    package is always the one that is imported.
    """
    if str(STAND_INS) not in sys.path and not installed('xtcocotools', 'pkg_resources'):
        sys.path.append(str(STAND_INS))


def use_pycocotools_masks() -> None:
    """Make xtcocotools decode masks with pycocotools' compiled module, which is the same code.

    xtcocotools has wheels for numpy 1 only: with numpy 2 its `_mask` refuses to load
    ("numpy.dtype size changed"), and one compiled against numpy 2 loads but dies while it decodes.
    """
    if not installed('xtcocotools', 'pycocotools', 'numpy'):
        return
    compiled = sys.modules['xtcocotools._mask'] = importlib.import_module('pycocotools._mask')
    if 'xtcocotools.mask' in sys.modules:  # MMPose came first: its references are already bound
        wrapper = sys.modules['xtcocotools.mask']
        wrapper._mask = compiled
        for name in ('iou', 'merge', 'frPyObjects'):
            setattr(wrapper, name, getattr(compiled, name))


def defer_matplotlib() -> None:
    """Import xtcocotools without matplotlib's modules, with which it draws annotations."""
    if installed('xtcocotools', 'numpy', 'matplotlib'):
        with deferred(DRAWING):
            importlib.import_module('xtcocotools.coco')


# --- mmcv-lite, torchvision ----------------------------------------------------------------------


class _MissingOperators(ModuleType):
    """Stand in for `mmcv._ext`: each attribute is a function that says what is missing."""

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return functools.partial(_raise_missing_operator, name)


def _raise_missing_operator(name, *args, **kwargs):
    raise RuntimeError(
        f"The operator '{name}' is part of mmcv's compiled code, which mmcv-lite does not have: "
        'uninstall mmcv-lite and install the full package, mmcv 2.1.0, to use it.'
    )


def mmcv_has_operators() -> bool:
    """Return whether mmcv with compiled operators is installed, without importing it."""
    mmcv = importlib.util.find_spec('mmcv')
    return bool(mmcv and PathFinder.find_spec('mmcv._ext', mmcv.submodule_search_locations))


def stub_mmcv_operators() -> None:
    """Replace `mmcv._ext` by a stub where mmcv-lite is installed.

    MMPose's `edpose_head` and much of mmdet import `mmcv.ops`, which loads `mmcv._ext`:
    without it they cannot be imported, though PINet calls none of their operators. The stub's spec
    has no loader, so that mmengine goes on seeing an mmcv without operators. A full mmcv is left
    alone, even one that fails to load: its own error is the one to read.
    """
    if 'mmcv._ext' in sys.modules or not installed('mmcv') or mmcv_has_operators():
        return
    stub = _MissingOperators('mmcv._ext', _MissingOperators.__doc__)
    stub.__spec__ = ModuleSpec('mmcv._ext', loader=None)
    sys.modules['mmcv._ext'] = stub


def declare_torchvision_operators() -> None:
    """Import torchvision even where its compiled part does not load.

    With a torch of another build (a CPU build, say) torchvision's compiled part does not load.
    torchvision goes on until it describes two operators of that part, and fails ("operator
    torchvision::nms does not exist"). MMPose needs only a transform written in Python. With the two
    operators declared the import succeeds; calling them still raises torchvision's own error. Where
    torchvision works, or fails in another way, nothing is changed.
    """
    if not installed('torch', 'torchvision'):
        return
    try:
        _import_torchvision()
    except RuntimeError as error:
        if 'operator torchvision::' not in str(error):
            raise
        _declare_nms()
        _forget('torchvision')
        _import_torchvision()


def _import_torchvision() -> None:
    # One of its operators asks torch's compiler, a second of imports, whether it can be compiled.
    with deferred({'torch._dynamo.utils': ('is_compile_supported',)}):
        importlib.import_module('torchvision')


def _declare_nms() -> None:
    import torch

    library = torch.library.Library('torchvision', 'FRAGMENT')
    for name in ('nms', 'qnms'):
        library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    _torchvision_schemas.append(library)


def _forget(package: str) -> None:
    """Drop a half-imported package, for the import system keeps the submodules that succeeded."""
    for name in list(sys.modules):
        if name == package or name.startswith(package + '.'):
            del sys.modules[name]
