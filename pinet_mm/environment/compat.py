"""Make MMPose 1.3.2 and its dependencies run with today's Python, torch and numpy.

MMPose 1.3.2, mmdet 3.3.0, mmengine 0.10.7 and mmcv-lite 2.1.0 were released before torch 2.6 and
numpy 2. `apply` repairs, one function per fault, what has broken since. It has to run before
MMPose is imported; importing `pinet_mm` does that. A fix whose package is absent is skipped, so
that `python -m pinet_mm.doctor` can say what is missing. Faults of mmengine and MMPose are repaired
here, those of the packages that they import in `packages`.
"""

import codecs
import functools
import importlib

from .deferred import deferred
from .packages import (
    DRAWING,
    add_stand_ins,
    declare_torchvision_operators,
    defer_matplotlib,
    installed,
    restore_find_loader,
    stub_mmcv_operators,
    use_pycocotools_masks,
)
from .sharding import defer_sharding
from .wrapping import wrap_once

# --- mmengine, MMPose ----------------------------------------------------------------------------


def history_buffer_method(owner, name: str):
    """Return a public method of mmengine's `HistoryBuffer`, all that its pickles look up.

    Checkpoints reach for these methods through `getattr`. Allowing the real one would let a
    checkpoint reach every attribute of every allowed class.

    Raises:
        ValueError: If it is anything else.
    """
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name.startswith('_') or name not in vars(HistoryBuffer):
        raise ValueError(
            f'a checkpoint may look up only public methods of HistoryBuffer, not {name!r} of '
            f'{owner!r}'
        )
    return vars(HistoryBuffer)[name]


def allow_mmengine_checkpoints() -> None:
    """Let `torch.load` read the checkpoints that mmengine writes.

    Since torch 2.6 it builds only listed classes (`weights_only=True`); mmengine stores its logs,
    seeds and dataset descriptions as numpy arrays and history buffers. Just these are added, and
    what pickles of bytes call, which torch 2.4 does not list by itself.
    """
    if not installed('torch', 'numpy', 'mmengine'):
        return
    import torch
    from mmengine.logging import HistoryBuffer

    getters = [
        _under_name(history_buffer_method, f'{name}.getattr')
        for name in ('builtins', '__builtin__')
    ]
    allowed = [HistoryBuffer, *getters, *_numpy_globals(), codecs.encode]
    torch.serialization.add_safe_globals(allowed)


@functools.cache
def _under_name(function, path: str):
    """Return the function under another name; only torch 2.6 and later take the name beside it."""

    def renamed(*args):
        return function(*args)

    renamed.__module__, _, renamed.__name__ = path.rpartition('.')
    renamed.__qualname__ = renamed.__name__
    return renamed


def _numpy_globals() -> list:
    """Return what numpy 1 and 2 pickle arrays with; an empty array also needs `bytes`."""
    import numpy as np

    array, number = np.empty(0), np.float64(0)
    rebuilders = dict(_reconstruct=array.__reduce__()[0], scalar=number.__reduce__()[0])
    functions = [
        _under_name(function, f'numpy.{core}.multiarray.{name}')
        for core in ('core', '_core')
        for name, function in rebuilders.items()
    ]
    dtypes = (type(np.dtype(code)) for code in ('u1', 'u4', 'i4', 'i8', 'f4', 'f8', '?'))
    return [bytes, np.ndarray, np.dtype, *functions, *dtypes]


def skip_cuda_device_without_cuda() -> None:
    """Make `torch.cuda.set_device` do nothing on a machine without CUDA.

    mmengine calls it whenever training is launched by torchrun, for gloo on CPUs as well, and a CPU
    build of torch has no `torch._C._cuda_setDevice`. With CUDA the real function is called.
    """
    if installed('torch'):
        wrap_once(importlib.import_module('torch.cuda'), 'set_device', _only_with_cuda)


def _only_with_cuda(set_device):
    import torch

    # CUDA is looked for at the call: asking at import would start its driver in every program.
    def set_device_with_cuda(device):
        if torch.cuda.is_available():
            set_device(device)

    return set_device_with_cuda


def announce_package_to_mmengine() -> None:
    """Let configs name ours as a base, `_base_ = 'pinet_mm::pinet_hrnet_coco.py'`.

    mmengine refuses packages that are not in its fixed table of modules and distributions, and
    configs that do not lie in a folder. It also looks for what a base names in registries of the
    base's package; our classes are in those of MMPose.
    """
    if not installed('torch', 'mmengine'):
        return
    importlib.import_module('mmengine.config.utils').MODULE2PACKAGE['pinet_mm'] = 'pinet-mm'
    for name in ('mmengine.config.config', 'mmengine.hub.hub'):
        module = importlib.import_module(name)
        wrap_once(module, '_get_package_and_cfg_path', _with_flat_names)
    config = importlib.import_module('mmengine.config.config').Config
    wrap_once(config, '_get_cfg_path', _without_our_scope)


def _with_flat_names(split):
    def split_flat_names(cfg_path):
        package, _, name = cfg_path.partition('::')
        return ('pinet-mm', name) if package == 'pinet_mm' else split(cfg_path)

    return split_flat_names


def _without_our_scope(find):
    def find_without_our_scope(cfg_path, filename):
        path, scope = find(cfg_path, filename)
        return path, None if scope == 'pinet_mm' else scope

    return find_without_our_scope


def keep_gradients_of_checkpointed_modules() -> None:
    """Let mmengine's `activation_checkpointing` keep all gradients.

    It uses torch's default variant, which drops the gradients of a module whose inputs come in a
    list, as in HRNet's stages. These also overwrite that list, so the second pass gets a copy.
    """
    if installed('torch', 'mmengine'):
        module = importlib.import_module('mmengine.runner.activation_checkpointing')
        module.checkpoint = _checkpoint


def _checkpoint(forward, *args):
    from torch.utils.checkpoint import checkpoint

    def forward_copies(*args):
        return forward(*(list(arg) if isinstance(arg, list) else arg for arg in args))

    return checkpoint(forward_copies, *args, use_reentrant=False)


def lay_configs_out_once() -> None:
    """Let mmengine lay out a config once, not at the start of a run and at every checkpoint.

    YAPF takes two seconds for a config, most of a small training.
    """
    if installed('torch', 'mmengine'):
        wrap_once(importlib.import_module('mmengine.config.config'), 'FormatCode', _once)


def _once(lay_out):
    last = {}

    def lay_out_once(text, **options):
        key = text, repr(options)
        if key not in last:
            laid_out = lay_out(text, **options)
            last.clear()
            last[key] = laid_out
        return last[key]

    return lay_out_once


def let_configs_be_interrupted() -> None:
    """Let Ctrl-C end a run while mmengine lays its config out.

    mmengine takes that for a mistake in the config, whose whole text it prints.
    """
    if installed('torch', 'mmengine'):
        config = importlib.import_module('mmengine.config.config').Config
        if not hasattr(config.pretty_text.fget, 'wrapped_by_pinet_mm'):
            config.pretty_text = property(_interruptible(config.pretty_text.fget))


def _interruptible(lay_out):
    @functools.wraps(lay_out)
    def lay_out_unless_interrupted(config):
        try:
            return lay_out(config)
        except SyntaxError as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise error.__context__ from None
            raise

    lay_out_unless_interrupted.wrapped_by_pinet_mm = True
    return lay_out_unless_interrupted


def defer_statistics_and_drawing() -> None:
    """Import MMPose without what it takes `scipy.stats` and matplotlib's modules for.

    These are one distribution, for training, and drawing in three dimensions.
    """
    if installed('torch', 'mmpose', 'scipy', 'matplotlib'):
        with deferred({'scipy.stats': ('truncnorm',), **DRAWING}):
            importlib.import_module('mmpose.datasets')
            importlib.import_module('mmpose.visualization')


def accept_radius_arrays() -> None:
    """Let MMPose's OpenCV visualizer draw keypoints under numpy 2.

    It passes the radius on as an array of one element, and numpy converts only arrays without
    dimensions to numbers ("only 0-dimensional arrays can be converted"). Matplotlib's drawing needs
    the array, so only OpenCV's gets a number.
    """
    if installed('torch', 'mmpose'):
        module = importlib.import_module('mmpose.visualization.opencv_backend_visualizer')
        wrap_once(module.OpencvBackendVisualizer, 'draw_circles', _with_number_as_radius)


def _with_number_as_radius(draw_circles):
    import numpy as np

    def draw_circles_of_number(self, center, radius, *args, **kwargs):
        if self.backend == 'opencv':
            radius = np.asarray(radius).item()
        return draw_circles(self, center, radius, *args, **kwargs)

    return draw_circles_of_number


FIXES = (
    restore_find_loader,
    add_stand_ins,
    use_pycocotools_masks,
    defer_matplotlib,
    stub_mmcv_operators,
    declare_torchvision_operators,
    defer_sharding,  # the first that imports mmengine
    allow_mmengine_checkpoints,
    skip_cuda_device_without_cuda,
    announce_package_to_mmengine,
    keep_gradients_of_checkpointed_modules,
    lay_configs_out_once,
    let_configs_be_interrupted,
    defer_statistics_and_drawing,  # this and the next import MMPose, so they come last
    accept_radius_arrays,
)


def apply() -> None:
    """Apply every fix that this environment needs; a second call changes nothing."""
    for fix in FIXES:
        fix()
