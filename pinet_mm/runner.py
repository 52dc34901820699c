"""What ``tools/train.py`` and ``tools/test.py`` share: options, settings of the run, plain errors.

The two tools parse their command line and call ``train`` or ``test``. Everything else in this
module turns those options into changes of the config, or tells in one sentence why a run cannot
start. ``CPUAmpOptimWrapper`` and ``ResumableEpochLoop`` are registered for configs as well.
"""

import argparse
import os
import os.path as osp
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

import mmengine
import torch
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import PretrainedInit, is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.registry import LOOPS, OPTIM_WRAPPERS
from mmengine.runner import CheckpointLoader, EpochBasedTrainLoop, Runner, find_latest_checkpoint
from torch import nn

# What reading a missing, unreachable or damaged checkpoint raises; torch reports a truncated file
# as a RuntimeError, and a web page in the place of a checkpoint as an UnpicklingError.
_UNREADABLE = (OSError, HTTPException, EOFError, pickle.UnpicklingError, RuntimeError)


class RunError(RuntimeError):
    """A run that cannot start or go on, for a reason that one sentence explains."""


# --- options -------------------------------------------------------------------------------------


def add_shared_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that training and testing have in common, named as in MMPose's tools.

    Args:
        parser: parser of the tool; changed in place.
    """
    add = parser.add_argument
    add('--work-dir', help='folder for logs, checkpoints and results (work_dirs/CONFIG)')
    add('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='settings that replace those of the config, such as train_dataloader.batch_size=8; '
        'write lists as KEY="[a,b]" or KEY=a,b, without spaces')
    add('--show-dir', help='folder for pictures with the predicted poses drawn over them')
    add('--show', action='store_true', help='show these pictures in a window')
    add('--interval', type=int, default=1, help='draw every n-th batch only (%(default)s)')
    add('--wait-time', type=float, default=1, help='seconds a window stays open (%(default)s)')
    add('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
        help='what started the processes of a distributed run (%(default)s)')
    # torch.distributed.launch passes one spelling or the other, depending on the version of torch.
    add('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


# --- the two commands ----------------------------------------------------------------------------


def train(args: argparse.Namespace) -> None:
    """Train the model of ``args.config``.

    Args:
        args: what ``tools/train.py`` parsed.

    Raises:
        RunError: a file, a setting or the pretrained weights are missing.
    """
    runner = Runner.from_cfg(train_config(args))
    if runner.cfg.get('resume') and runner.cfg.get('load_from'):
        _forget_pretrained(runner.model)  # the checkpoint brings all weights: resume offline
    else:
        _fetch_pretrained(runner.model)
    runner.train()


def test(args: argparse.Namespace) -> dict:
    """Test the model of ``args.config`` with the weights of ``args.checkpoint``.

    Args:
        args: what ``tools/test.py`` parsed.

    Returns:
        The metrics, name to value.

    Raises:
        RunError: a file or a setting is missing, or the checkpoint does not fit the model.
    """
    runner = Runner.from_cfg(test_config(args))
    runner.register_hook(RequireAllWeightsHook(args.checkpoint))
    if _is_url(args.checkpoint):
        _fetch(args.checkpoint, f'the checkpoint {args.checkpoint}', 'give a local copy instead')
    metrics = runner.test()
    if args.out and is_main_process():
        mmengine.dump(metrics, args.out)
    return metrics


def train_config(args: argparse.Namespace) -> Config:
    """Read the config and bring the options of ``tools/train.py`` into it.

    Args:
        args: what ``tools/train.py`` parsed.

    Returns:
        The config to build a runner from.

    Raises:
        RunError: a file is missing, or an option needs a setting that the config has not.
    """
    cfg = _shared_config(args)
    if args.no_validate:
        cfg.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
    if args.amp:
        _enable_amp(cfg)
    if args.auto_scale_lr:
        _scale_learning_rate(cfg)
    _enable_overlays(cfg, args, show=args.show)
    _choose_start(cfg, args.resume)
    _keep_place_in_epoch(cfg)
    return cfg


def test_config(args: argparse.Namespace) -> Config:
    """Read the config and bring the options of ``tools/test.py`` into it.

    Args:
        args: what ``tools/test.py`` parsed.

    Returns:
        The config to build a runner from. It is named ``test_CONFIG``, so that the copy that a
        runner leaves in its work folder does not replace the one of the training.

    Raises:
        RunError: a file is missing, or an option needs a setting that the config has not.
    """
    cfg = _shared_config(args)
    _require_checkpoint(args.checkpoint)
    cfg.update(load_from=args.checkpoint, resume=False)
    _drop_backbone_init(cfg)
    _enable_overlays(cfg, args, show=args.show and not args.badcase)
    if args.badcase:
        _enable_badcase(cfg, args)
    if args.dump:
        _dump_predictions(cfg, args.dump)
    _require_suffix('--out', args.out, ('.json', '.yaml', '.yml', '.pkl', '.pickle'))
    name = f'test_{osp.basename(args.config)}'
    return Config(cfg.to_dict(), cfg_text=cfg.text, filename=name)


def _shared_config(args: argparse.Namespace) -> Config:
    """Read the config, merge ``--cfg-options``, and settle work folder and launcher.

    The options of ``--cfg-options`` come first, so that the tools' own options find the config in
    the shape in which its author wrote it.
    """
    if not osp.isfile(args.config):
        raise RunError(f'the config file {args.config} does not exist')
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    stem = osp.splitext(osp.basename(args.config))[0]
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or osp.join('work_dirs', stem)
    cfg.launcher = args.launcher
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))  # mmengine looks only there
    _use_gloo_without_cuda(cfg)
    return cfg


# --- settings of a run ---------------------------------------------------------------------------


def _use_gloo_without_cuda(cfg: Config) -> None:
    """Let a distributed run work on CPUs: gloo instead of nccl, and DDP without device numbers.

    Buffers are not broadcast and every parameter is expected to get a gradient, as in mmengine's
    own default, unless the config's ``model_wrapper_cfg`` says otherwise.
    """
    if cfg.launcher == 'none' or torch.cuda.is_available():
        return
    cfg.merge_from_dict({'env_cfg.dist_cfg.backend': 'gloo'})
    wrapper = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False))
    wrapper.update(cfg.get('model_wrapper_cfg') or {})
    wrapper['device_ids'] = None  # the only value that DDP accepts for a model on a CPU
    cfg.model_wrapper_cfg = wrapper


def _enable_amp(cfg: Config) -> None:
    """Train with mixed precision: mmengine's wrapper on a GPU, ours on a CPU."""
    wrapper = cfg.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper')
    kind = kind if isinstance(kind, str) else kind.__name__
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'CPUAmpOptimWrapper'):
        raise RunError(f'--amp cannot replace the optimizer wrapper {kind} of the config')
    if get_device() == 'cpu':
        wrapper.type = 'CPUAmpOptimWrapper'
        for gpu_only in ('loss_scale', 'use_fsdp'):
            wrapper.pop(gpu_only, None)
    else:
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')


def _scale_learning_rate(cfg: Config) -> None:
    """Let mmengine scale the learning rate by the batch size of this run."""
    if not cfg.get('auto_scale_lr'):
        raise RunError('--auto-scale-lr: the config lacks auto_scale_lr=dict(base_batch_size=...)')
    cfg.auto_scale_lr.enable = True


def _enable_overlays(cfg: Config, args: argparse.Namespace, show: bool) -> None:
    """Switch the config's visualization hook on if ``--show`` or ``--show-dir`` asks for it.

    Testing writes to ``--show-dir``; during training MMPose hands the pictures of the validation
    to the visualizer's backends (``vis_data`` in the work folder, TensorBoard).
    """
    if not (show or args.show_dir):
        return
    hook = _require_hook(cfg, 'visualization', 'PoseVisualizationHook', '--show and --show-dir')
    # The hook joins a relative folder to the work folder anew for every batch.
    out_dir = osp.abspath(args.show_dir) if args.show_dir else None
    hook.update(enable=True, show=show, interval=args.interval, out_dir=out_dir)
    if show:
        hook.wait_time = args.wait_time


def _enable_badcase(cfg: Config, args: argparse.Namespace) -> None:
    """Switch on the bad-case hook that the config declares.

    Ours declare none: MMPose's hook measures the predicted persons against the annotated ones one
    to one, which only a model that starts from annotated boxes provides.
    """
    hook = _require_hook(cfg, 'badcase', 'BadCaseAnalysisHook', '--badcase (top-down models only)')
    hook.update(enable=True, show=args.show, interval=args.interval)
    if args.show:
        hook.wait_time = args.wait_time
    if not hook.get('metric'):
        by_loss = hook.get('metric_type', 'loss') == 'loss'
        hook.metric = cfg.model.head.loss if by_loss else cfg.test_evaluator


def _require_hook(cfg: Config, name: str, kind: str, option: str) -> dict:
    """Return a default hook of the config."""
    hook = cfg.get('default_hooks', {}).get(name)
    if hook is None:
        raise RunError(f"{option}: the config lacks default_hooks.{name}=dict(type='{kind}')")
    return hook


def _dump_predictions(cfg: Config, path: str) -> None:
    """Write the predictions of the test to a pickle file, beside evaluating them."""
    _require_suffix('--dump', path, ('.pkl', '.pickle'))
    evaluators = cfg.test_evaluator
    if not isinstance(evaluators, (list, tuple)):
        evaluators = [evaluators]
    cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=path)]


def _require_suffix(option: str, path: str | None, suffixes: tuple) -> None:
    """Refuse a file name before the run rather than after it."""
    if path and not path.endswith(suffixes):
        raise RunError(f'{option} {path}: the name must end in one of {", ".join(suffixes)}')


# --- checkpoints ---------------------------------------------------------------------------------


def _choose_start(cfg: Config, resume: str | None) -> None:
    """Settle which checkpoint training starts from, if any.

    Resuming goes on after the last checkpoint: after a whole epoch with the default checkpoint
    hook; inside an epoch if the hook counts iterations (``by_epoch=False``), where the batches
    of that epoch that were already seen are loaded and passed over (``ResumableEpochLoop``).
    Without a checkpoint yet, ``--resume`` starts from the beginning, so that one command
    can be repeated until the training is complete.
    """
    if resume == 'auto':
        resume = _latest_checkpoint(cfg.work_dir)
        if resume is None:
            cfg.resume = False
            print_log(f'{cfg.work_dir} holds no checkpoint to resume from: start at the beginning')
    if resume is not None:
        cfg.update(resume=True, load_from=resume)
    if cfg.get('load_from'):
        _require_checkpoint(cfg.load_from)


def _latest_checkpoint(work_dir: str) -> str | None:
    """Find the latest checkpoint of a work folder, also if the folder was moved since."""
    path = find_latest_checkpoint(work_dir)
    if path and not osp.isfile(path):
        path = osp.join(work_dir, osp.basename(path))
    return path


def _is_url(path: str) -> bool:
    """Tell whether a checkpoint is named by a URL or another scheme of mmengine's."""
    return '://' in path


def _require_checkpoint(path: str) -> None:
    """Check that a checkpoint exists; one that is named by a URL is left to ``_fetch``."""
    if not _is_url(path) and not osp.isfile(path):
        raise RunError(f'the checkpoint {path!r} does not exist')


def _fetch(path: str, what: str, advice: str) -> None:
    """Read a checkpoint once, which downloads it to torch's cache if it is a URL."""
    try:
        CheckpointLoader.load_checkpoint(path, map_location='cpu')
    except _UNREADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]  # torch adds a page of advice
        raise RunError(f'{what} could not be had ({reason}): {advice}') from error


def _drop_backbone_init(cfg: Config) -> None:
    """Leave the backbone without initial weights: a checkpoint brings all of them."""
    if cfg.model.get('backbone'):
        cfg.model.backbone.init_cfg = None


def _pretrained_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """List the modules that start from a checkpoint."""
    model = model.module if is_model_wrapper(model) else model
    for name, module in model.named_modules(prefix='model'):
        settings = getattr(module, 'init_cfg', None) or []
        for init_cfg in [settings] if isinstance(settings, dict) else settings:
            if init_cfg['type'] in ('Pretrained', PretrainedInit):
                yield name, module, init_cfg['checkpoint']


def _fetch_pretrained(model: nn.Module) -> None:
    """Get the checkpoints that parts of the model start from, before any picture is read.

    mmengine would load them much later and answer a missing network with a page of traceback.
    """
    for name, _, path in _pretrained_modules(model):
        _fetch(path, f'the pretrained weights {path} of {name}',
              f'give a local copy with --cfg-options {name}.init_cfg.checkpoint='
              f'/path/to/{osp.basename(path)}, or start from random weights with --cfg-options '
              f'{name}.init_cfg=None')


def _forget_pretrained(model: nn.Module) -> None:
    """Keep the model from loading pretrained weights that a checkpoint is about to replace.

    The config stays as it is, for its copy in the work folder must still say how training began.
    """
    for _, module, _ in list(_pretrained_modules(model)):
        module.init_cfg = None


class RequireAllWeightsHook(Hook):
    """Refuse to test with a checkpoint that leaves weights of the model at random.

    mmengine only warns of missing weights; the test then ends, much later, with an AP of 0.

    Args:
        path: path or URL of the checkpoint, for the message.
    """

    def __init__(self, path: str):
        self.path = path

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the names of the weights.

        Args:
            runner: the runner that is about to load them.
            checkpoint: what was read from the file.

        Raises:
            RunError: the checkpoint lacks weights of the model.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        wanted = [key for key in model.state_dict() if not key.endswith('num_batches_tracked')]
        found = {key.removeprefix('module.') for key in checkpoint.get('state_dict', checkpoint)}
        missing = [key for key in wanted if key not in found]
        if missing:
            raise RunError(
                f'the checkpoint {self.path} lacks {len(missing)} of the {len(wanted)} weights of '
                f"the config's model, the first of them {missing[0]}: is it the checkpoint of "
                'another config, or one that still has to be converted?')


# --- what configs can name -----------------------------------------------------------------------


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Run forward and loss in bfloat16 on a CPU; weights and gradients stay in float32.

    bfloat16 has the exponents of float32, so that gradients need no scaling.

    Args:
        dtype: 'bfloat16', the one type that needs no scaling; it is an argument so that one
            setting, ``optim_wrapper.dtype``, serves this class and mmengine's ``AmpOptimWrapper``.
        **kwargs: arguments of ``OptimWrapper``.

    Raises:
        ValueError: another dtype is asked for.
    """

    def __init__(self, dtype: str | torch.dtype = 'bfloat16', **kwargs):
        if dtype not in ('bfloat16', torch.bfloat16):
            raise ValueError(f"dtype must be 'bfloat16' on a CPU, got {dtype!r}")
        super().__init__(**kwargs)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Switch autocast on, beside what the base class does for gradient accumulation.

        Args:
            model: the model that is trained.

        Raises:
            RuntimeError: the model is not on the CPU, where this autocast would do nothing.
        """
        device = next(model.parameters()).device
        if device.type != 'cpu':
            raise RuntimeError(
                f'CPUAmpOptimWrapper trains on the CPU, but the model is on {device}: use '
                'AmpOptimWrapper, or --amp, which picks the wrapper by the device')
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """Train by epochs, and go on inside an epoch after a checkpoint that was saved inside it.

    mmengine's loop would run that epoch again from its first batch and count its iterations twice,
    which moves every later step of an iteration-based schedule. The batches are the same ones as
    before the interruption if the config fixes ``randomness.seed``.
    """

    def run_epoch(self) -> None:
        """Train on the batches of one epoch that come after those already counted."""
        done = self._iter - self._epoch * len(self.dataloader)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for index, batch in enumerate(self.dataloader):
            if index >= done:
                self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


def _keep_place_in_epoch(cfg: Config) -> None:
    """Train with ``ResumableEpochLoop`` if checkpoints are saved inside epochs."""
    checkpoints = cfg.get('default_hooks', {}).get('checkpoint', {})
    loop = cfg.get('train_cfg') or {}
    if loop.get('by_epoch') and not checkpoints.get('by_epoch', True):
        del loop['by_epoch']  # mmengine takes either a type or by_epoch
        loop['type'] = 'ResumableEpochLoop'
