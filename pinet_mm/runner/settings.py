"""Changes that the options of the tools make in a config, each function in place."""

import os
import os.path as osp
from collections.abc import Mapping

import torch
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device

from ..datasets.wrapped import bare_name, metrics_in
from ..errors import InputError, RunError
from ..models.acceleration import half_precision, warn_of_no_bfloat16
from .first_process import say
from .options import RunOptions

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
MOST_WORKERS = 8
WORKERS_PER_CORE = 32  # each takes a third of a gigabyte


def fit_workers(cfg: Config, options: Mapping) -> None:
    """Give each loader as many data workers as this process has cores, at most; say so once.

    A loader without `num_workers` gets one per core, up to `MOST_WORKERS`.

    Args:
        cfg: changed in place.
        options: settings by name that the user gave, which stay as they are.

    Raises:
        InputError: the user gave so many that the machine would come to a stand.
    """
    cores, changes = cores_of_process(), []
    for name in LOADERS:
        loader = cfg.get(name)
        given = options.get(f'{name}.num_workers')
        if given is not None and given > WORKERS_PER_CORE * cores:
            raise InputError(
                f'{name}.num_workers must be at most {WORKERS_PER_CORE} per core of this process, '
                f'{WORKERS_PER_CORE * cores} here; found {given}'
            )
        if not loader or given is not None:
            continue
        wanted = loader.get('num_workers')
        fitting = min(cores, MOST_WORKERS if wanted is None else wanted)
        if fitting != wanted:
            loader.num_workers = fitting
            asked = '' if wanted is None else f' in place of {wanted}'
            changes.append(f'{name}.num_workers {fitting}{asked}')
    if changes:
        count = '1 core' if cores == 1 else f'{cores} cores'
        say(f'{count} for this process: {", ".join(changes)}')


def cores_of_process() -> int:
    """Return how many cores each process of this machine's run has, at least 1."""
    own = getattr(os, 'sched_getaffinity', None)  # Linux: what this process may use
    cores = len(own(0)) if own else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get('LOCAL_WORLD_SIZE', 1)))


def allow_no_workers(cfg: Config) -> None:
    """Drop what torch refuses beside `num_workers=0`, so that one option sets that."""
    for name in LOADERS:
        loader = cfg.get(name)
        if loader and not loader.get('num_workers'):
            loader.update(persistent_workers=False)
            loader.pop('prefetch_factor', None)


def use_gloo_without_cuda(cfg: Config) -> None:
    """Make a distributed run work on CPUs: gloo instead of nccl, and DDP without device numbers.

    Buffers are not broadcast and every parameter is expected to get a gradient, as in mmengine's
    own default, unless the config's `model_wrapper_cfg` says otherwise.
    """
    if cfg.launcher == 'none' or torch.cuda.is_available():
        return
    cfg.merge_from_dict({'env_cfg.dist_cfg.backend': 'gloo'})
    wrapper = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    wrapper.update(cfg.get('model_wrapper_cfg') or {})
    wrapper['device_ids'] = None  # the only value that DDP accepts for a model on a CPU
    cfg.model_wrapper_cfg = wrapper


def enable_amp(cfg: Config) -> None:
    """Train with mixed precision: mmengine's wrapper on a GPU, ours on a CPU that has bfloat16.

    On another CPU training stays in float32, and a warning says so.

    Raises:
        RunError: the config has an optimizer wrapper of another kind.
    """
    wrapper = cfg.get('optim_wrapper') or {}
    kind = wrapper.get('type', 'OptimWrapper') if wrapper else 'None'
    kind = kind if isinstance(kind, str) else kind.__name__
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'CPUAmpOptimWrapper'):
        raise RunError(f'--amp cannot replace the optimizer wrapper {kind} of the config')
    if get_device() == 'cpu':
        if half_precision('cpu'):
            wrapper.type = 'CPUAmpOptimWrapper'
        else:
            warn_of_no_bfloat16()
            wrapper.type = 'OptimWrapper'
            wrapper.pop('dtype', None)
        for gpu_only in ('loss_scale', 'use_fsdp'):
            wrapper.pop(gpu_only, None)
    else:
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')


def drop_weight_averaging(cfg: Config) -> None:
    """Remove MMEngine's EMAHook: the `state_dict` of its checkpoints is the average already.

    During evaluation the hook would only exchange it with its own copy, whose layers another hook
    may have fused since (`accelerate`).
    """
    hooks = cfg.get('custom_hooks') or []
    cfg.custom_hooks = [hook for hook in hooks if bare_name(hook) != 'EMAHook']


def accelerate(cfg: Config, amp: bool, compile: bool) -> None:
    """Evaluate in half precision, compiled, or both.

    Raises:
        RunError: the model is no PINet.
    """
    if bare_name(cfg.model) != 'PINet':
        raise RunError(f'--amp and --compile test a PINet only; found the model {cfg.model.type}')
    hooks = [
        *(cfg.get('custom_hooks') or []),
        dict(type='AccelerateHook', amp=amp, compile=compile),
    ]
    cfg.custom_hooks = hooks


def scale_learning_rate(cfg: Config) -> None:
    """Make mmengine scale the learning rate by the batch size of this run.

    Raises:
        RunError: the config does not say for which batch its learning rate is meant.
    """
    if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
        raise RunError('--auto-scale-lr: the config lacks auto_scale_lr=dict(base_batch_size=...)')
    cfg.auto_scale_lr.enable = True


def enable_overlays(cfg: Config, options: RunOptions, show: bool) -> None:
    """Switch the config's visualization hook on if `--show` or `--show-dir` asks for it.

    An evaluation writes to `--show-dir`; during training MMPose hands the images of the validation
    to the visualizer's backends (`vis_data` in the work folder, TensorBoard).
    """
    if not (show or options.show_dir):
        return
    hook = _require_hook(cfg, 'visualization', 'PoseVisualizationHook', '--show and --show-dir')
    # The hook joins a relative folder to the work folder anew for every batch.
    out_dir = osp.abspath(options.show_dir) if options.show_dir else None
    hook.update(enable=True, show=show, interval=options.interval, out_dir=out_dir)
    if show:
        hook.wait_time = options.wait_time


def enable_badcase(cfg: Config, options: RunOptions) -> None:
    """Switch on the bad-case hook that the config declares.

    Ours declare none: MMPose's hook measures the predicted people against the annotated ones one
    to one, which only a model that starts from annotated boxes provides.
    """
    hook = _require_hook(cfg, 'badcase', 'BadCaseAnalysisHook', '--badcase (top-down models only)')
    hook.update(enable=True, show=options.show, interval=options.interval)
    if options.show:
        hook.wait_time = options.wait_time
    if not hook.get('metric'):
        by_loss = hook.get('metric_type', 'loss') == 'loss'
        hook.metric = cfg.model.head.loss if by_loss else cfg.test_evaluator


def _require_hook(cfg: Config, name: str, kind: str, option: str) -> ConfigDict:
    """Return a default hook of the config."""
    hook = (cfg.get('default_hooks') or {}).get(name)
    if hook is None:
        raise RunError(f"{option}: the config lacks default_hooks.{name}=dict(type='{kind}')")
    return hook


def dump_predictions(cfg: Config, path: str) -> None:
    """Write the predictions to a pickle file, besides evaluating them."""
    require_suffix('--dump', path, ('.pkl', '.pickle'))
    _add_evaluator(cfg, '--dump', dict(type='DumpResults', out_file_path=path))


def write_poses(cfg: Config, path: str) -> None:
    """Write the poses to a file in COCO's result format, besides evaluating them."""
    require_suffix('--json', path, ('.json',))
    ranking = [each for each in metrics_in(cfg.test_evaluator) if 'CocoMetric' in bare_name(each)]
    modes = {each.get('score_mode', 'keypoint') for each in ranking}
    mode = dict(score_mode='bbox') if modes == {'bbox'} else {}
    _add_evaluator(cfg, '--json', dict(type='CocoResults', path=path, **mode))


def rank_by_score(cfg: Config) -> None:
    """Let the metrics of an evaluation rank people by the score of the whole pose."""
    for each in metrics_in(cfg.get('test_evaluator')):
        if each.get('score_mode') == 'keypoint' or bare_name(each) == 'CocoResults':
            each['score_mode'] = 'bbox'


def _add_evaluator(cfg: Config, option: str, evaluator: dict) -> None:
    evaluators = cfg.test_evaluator
    if isinstance(evaluators, dict) and 'metrics' in evaluators:
        raise RunError(
            f'{option} writes the poses of one dataset; the config evaluates several: '
            f'test_evaluator is a {bare_name(evaluators)}'
        )
    if not isinstance(evaluators, (list, tuple)):
        evaluators = [evaluators]
    # First, so that the poses are on disk if evaluating them fails.
    cfg.test_evaluator = [evaluator, *evaluators]


def require_suffix(option: str, path: str | None, suffixes: tuple) -> None:
    """Check the suffix of a file name before the run rather than after it.

    Raises:
        RunError: the name ends in none of them.
    """
    if path and not path.endswith(suffixes):
        raise RunError(f'{option} {path}: the name must end in one of {", ".join(suffixes)}')


def keep_place_in_epoch(cfg: Config) -> None:
    """Train with `ResumableEpochLoop` if checkpoints are saved inside epochs."""
    checkpoints = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    loop = cfg.get('train_cfg') or {}
    by_epoch = loop.get('by_epoch', bare_name(loop) == 'EpochBasedTrainLoop')
    if by_epoch and not checkpoints.get('by_epoch', True):
        loop.pop('by_epoch', None)  # mmengine takes either a type or by_epoch
        loop['type'] = 'ResumableEpochLoop'


def train_on_device(cfg: Config) -> None:
    """Train with `DeviceTrainLoop`.

    Raises:
        RunError: the config's loop is none by epochs.
    """
    loop = cfg.get('train_cfg') or {}
    if not loop.pop('by_epoch', bare_name(loop) == 'EpochBasedTrainLoop'):
        raise RunError(f'--on-device needs a train_cfg with by_epoch=True; found {dict(loop)}')
    loop['type'] = 'DeviceTrainLoop'


def guard_numbers(cfg: Config, skip: bool) -> None:
    """Add `FiniteGuard` to the hooks of a training, unless the config names it."""
    hooks = list(cfg.get('custom_hooks') or [])
    named = [hook for hook in hooks if bare_name(hook) == 'FiniteGuard']
    for hook in named if skip else ():
        hook['skip'] = True
    cfg.custom_hooks = hooks if named else [*hooks, dict(type='FiniteGuard', skip=skip)]
