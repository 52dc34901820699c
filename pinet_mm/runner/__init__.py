"""What `tools/train.py` and `tools/test.py` share.

The two tools parse their command line and call `train` or `test`. `settings` turns options
into changes of the config, `weights` finds and checks checkpoints, and both tell in one sentence
(`RunError`) why a run cannot start. `training` holds the classes that configs can name.
"""

import argparse
import os
import os.path as osp

import mmengine
from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from ..errors import RunError
from . import settings, weights
from .training import CPUAmpOptimWrapper, ResumableEpochLoop

__all__ = [
    'CPUAmpOptimWrapper',
    'ResumableEpochLoop',
    'RunError',
    'add_shared_options',
    'add_speed_options',
    'test',
    'test_config',
    'train',
    'train_config',
]


def add_shared_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that training and testing have in common, named as in MMPose's tools.

    Args:
        parser: parser of the tool; changed in place.
    """
    add = parser.add_argument
    add('--work-dir', help='folder for logs, checkpoints and results (work_dirs/CONFIG)')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='settings that replace those of the config, such as train_dataloader.batch_size=8; '
        'write lists as KEY="[a,b]" or KEY=a,b, without spaces',
    )
    add('--show-dir', help='folder for pictures with the predicted poses drawn over them')
    add('--show', action='store_true', help='show these pictures in a window')
    add('--interval', type=int, default=1, help='draw every n-th batch only (%(default)s)')
    add('--wait-time', type=float, default=1, help='seconds a window stays open (%(default)s)')
    add(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed run (%(default)s)',
    )
    # torch.distributed.launch passes one spelling or the other, depending on the version of torch.
    add('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_speed_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a test that `acceleration` explains.

    Args:
        parser: parser of the tool; changed in place.
    """
    parser.add_argument(
        '--amp',
        action='store_true',
        help='most of it in half precision: bfloat16 on a CPU that has it, float16 on a GPU',
    )
    parser.add_argument(
        '--compile',
        action='store_true',
        help='compile the model: minutes for every size of input, then faster',
    )


def train(args: argparse.Namespace) -> None:
    """Train the model of `args.config`.

    Args:
        args: what `tools/train.py` parsed.

    Raises:
        RunError: a file, a setting or the pretrained weights are missing.
    """
    cfg = train_config(args)
    settings.require_annotations(cfg, 'train_dataloader', 'val_dataloader')
    runner = Runner.from_cfg(cfg)
    if runner.cfg.get('resume') and runner.cfg.get('load_from'):
        weights.forget_pretrained(runner.model)  # the checkpoint brings all weights: resume offline
    else:
        weights.fetch_pretrained(runner.model)
    runner.train()


def test(args: argparse.Namespace) -> dict:
    """Test the model of `args.config` with the weights of `args.checkpoint`.

    Args:
        args: what `tools/test.py` parsed.

    Returns:
        The metrics, name to value.

    Raises:
        RunError: a file or a setting is missing, or the checkpoint does not fit the model.
    """
    cfg = test_config(args)
    settings.require_annotations(cfg, 'test_dataloader')
    # Before a runner is built, which takes its seconds and prints pages.
    weights.fetch(
        args.checkpoint,
        f'the checkpoint {args.checkpoint}',
        'give a local copy' if weights.is_url(args.checkpoint) else 'is it whole?',
    )
    runner = Runner.from_cfg(cfg)
    runner.register_hook(weights.RequireAllWeightsHook(args.checkpoint))
    metrics = runner.test()
    if args.out and is_main_process():
        mmengine.dump(metrics, args.out)
    return metrics


def train_config(args: argparse.Namespace) -> Config:
    """Read the config and bring the options of `tools/train.py` into it.

    Args:
        args: what `tools/train.py` parsed.

    Returns:
        The config to build a runner from.

    Raises:
        RunError: a file is missing, or an option needs a setting that the config has not.
    """
    cfg = _shared_config(args)
    if args.no_validate:
        cfg.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
    if args.amp:
        settings.enable_amp(cfg)
    if args.auto_scale_lr:
        settings.scale_learning_rate(cfg)
    settings.enable_overlays(cfg, args, show=args.show)
    weights.choose_start(cfg, args.resume)
    settings.keep_place_in_epoch(cfg)
    return cfg


def test_config(args: argparse.Namespace) -> Config:
    """Read the config and bring the options of `tools/test.py` into it.

    Args:
        args: what `tools/test.py` parsed.

    Returns:
        The config to build a runner from. It is named `test_CONFIG`, so that the copy that a
        runner leaves in its work folder does not replace the one of the training.

    Raises:
        RunError: a file is missing, or an option needs a setting that the config has not.
    """
    cfg = _shared_config(args)
    weights.require_checkpoint(args.checkpoint)
    cfg.update(load_from=args.checkpoint, resume=False)
    weights.drop_backbone_init(cfg)
    settings.drop_weight_averaging(cfg)
    settings.enable_overlays(cfg, args, show=args.show and not args.badcase)
    if args.badcase:
        settings.enable_badcase(cfg, args)
    if args.dump:
        settings.dump_predictions(cfg, args.dump)
    if args.amp or args.compile:
        settings.accelerate(cfg, args.amp, args.compile)
    if args.json:
        settings.write_poses(cfg, args.json)
    settings.require_suffix('--out', args.out, ('.json', '.yaml', '.yml', '.pkl', '.pickle'))
    name = f'test_{osp.basename(args.config)}'
    return Config(cfg.to_dict(), cfg_text=cfg.text, filename=name)


def _shared_config(args: argparse.Namespace) -> Config:
    """Read the config, merge `--cfg-options`, and settle work folder and launcher.

    The options of `--cfg-options` come first, so that the tools' own options find the config in
    the shape in which its author wrote it.
    """
    if not osp.isfile(args.config):
        raise RunError(f'the config file {args.config} does not exist')
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    settings.share_codec(cfg)
    settings.allow_no_workers(cfg)
    stem = osp.splitext(osp.basename(args.config))[0]
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or osp.join('work_dirs', stem)
    cfg.launcher = args.launcher
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))  # mmengine looks only there
    settings.use_gloo_without_cuda(cfg)
    return cfg
