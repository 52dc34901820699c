"""Names of version 0.1 and of 0.2 before its release that work through 0.2 with a warning."""

import functools
import importlib
import sys
import warnings
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Where the names of a module of 0.1 are now; of several modules, the first has most of them.
NEW_NAMES = {
    'acceleration': ('models.acceleration',),
    'batch_inference': (
        'inference.folders',
        'inference.results.pose_result',
        'inference.results.records',
        'inference.runs.report',
        'inference.sources.images',
    ),
    'codec': ('models.codec',),
    'compat': ('environment.compat',),
    'conversion': ('checkpoints.convert',),
    'decoding': ('models.decoding',),
    'ensemble': ('inference.ensemble', 'datasets.pose_files'),
    'estimator': ('models.estimator',),
    'evaluation': ('datasets.evaluation',),
    'export_check': ('export.check',),
    'flip': ('method.views',),
    'fusion': ('method.fusion',),
    'head': ('models.head',),
    'labeling': ('datasets.labeling',),
    'layouts': ('method.layouts',),
    'losses': ('models.losses',),
    'noise': ('environment.noise',),
    'prediction': ('inference.prediction',),
    'proposals': ('method.proposals', 'method.reading'),
    'quantization': ('export.int8',),
    'refinement': ('method.refinement',),
    'release': ('conventions.official',),
    'release_transforms': ('conventions.transforms',),
    'rescoring': ('method.agreement',),
    'scaling': ('method.views',),
    'settings': ('models.test_cfg',),
    'storage': ('checkpoints.files',),
    'targets': ('method.targets',),
    'transforms': ('datasets.transforms', 'conventions.transforms'),
    'visualization': (
        'inference.drawing.visualizer',
        'inference.drawing.sheets',
        'inference.drawing.skeletons',
    ),
}

# Modules that lay directly in `inference` before the release of 0.2; none needs MMPose.
MOVED = {
    f'inference.{name}': (f'inference.{folder}.{name}',)
    for folder, names in dict(
        drawing=('sheets', 'skeletons'),
        results=('answers', 'exchange'),
        runs=('options',),
        sources=('items',),
    ).items()
    for name in names
}

# Module of 0.1 -> its names that are spelled otherwise now -> how they are.
NEW_SPELLINGS = {
    'api': dict(PICTURES='IMAGE_SUFFIXES', find_pictures='find_images'),
    'batch_inference': dict(PICTURES='IMAGE_SUFFIXES', find_pictures='find_images'),
    'checkpoints': dict(recognise='recognize'),
    'ensemble': dict(fuse_pictures='fuse_images'),
    'proposals': dict(Centres='Centers'),
    'refinement': dict(normalised_adjacency='normalized_adjacency'),
    'targets': dict(part_centres='part_centers'),
}
PERIOD = 'the old name works through 0.2 and goes with 0.3'


def old_spellings(module: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module that some names of 0.1 are still looked up in.

    Args:
        module: its full name, which 0.1 had too.
    """
    return functools.partial(_by_old_spelling, module)


def _by_old_spelling(module: str, name: str) -> Any:
    new = NEW_SPELLINGS.get(module.rpartition('.')[2], {}).get(name)
    if new is None:
        raise AttributeError(f'module {module!r} has no attribute {name!r}')
    warnings.warn(f'{module}.{name} is now {new}; {PERIOD}', DeprecationWarning, stacklevel=2)
    return getattr(sys.modules[module], new)


def _places(fullname: str) -> list[str]:
    """Return where the names of an old module are now, nothing for any other module."""
    package, _, name = fullname.partition('.')
    found = {**NEW_NAMES, **MOVED}.get(name, ()) if package == __package__ else ()
    return [f'{package}.{new}' for new in found]


class _Renamed(MetaPathFinder, Loader):
    """Find modules of version 0.1 where their names are now."""

    def find_spec(self, fullname, path=None, target=None):
        return ModuleSpec(fullname, self) if _places(fullname) else None

    def create_module(self, spec):
        return ModuleType(spec.name)

    def exec_module(self, module):
        places = _places(module.__name__)
        warnings.warn(
            f'{module.__name__} is now {" and ".join(places)}; {PERIOD}',
            DeprecationWarning,
            stacklevel=2,
        )
        vars(module)['__getattr__'] = old_spellings(module.__name__)
        for place in reversed(places):
            new = vars(importlib.import_module(place))
            vars(module).update(
                (name, value) for name, value in new.items() if not name.startswith('__')
            )


def install() -> None:
    """Make the old names importable; a second call changes nothing."""
    if not any(isinstance(finder, _Renamed) for finder in sys.meta_path):
        sys.meta_path.append(_Renamed())
