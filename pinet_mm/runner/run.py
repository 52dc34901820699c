"""Train and evaluate: options become changes of a config, of which MMEngine's runner is built."""

import logging
import os
import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager

import mmengine
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from ..atomic import require_writable
from ..checkpoints import load_weights, read_checkpoint, require_checkpoint
from ..checkpoints.carried import carry_metainfo, carry_score, carry_uncertainty
from ..configs import config_path, read_config
from ..datasets.limits import BOUNDS
from ..datasets.metrics import tell_iterations
from ..environment.printing import one_line
from ..errors import InputError, RunError
from ..models.early import check_settings
from ..models.keypoints import note_on_weights
from . import settings, weights
from .alike import AlikeGuard
from .annotations import check_annotations, point_at
from .keeping import keeping_poses
from .layout import follow_layout
from .meeting import check_launcher, meeting
from .named_settings import check_named_settings
from .options import RunOptions, TestOptions, TrainOptions
from .plain_settings import check_plain_settings
from .screen import QuietRunner, StartHook
from .stopping import ending_by_signal, saying_how_to_go_on
from .training_settings import check_training_settings
from .workers import naming_dead_workers


def train(options: TrainOptions) -> None:
    """Train the model of a config.

    Args:
        options: the config, and the other options of `tools/train.py`.

    Raises:
        RunError: a file, a setting or the pretrained weights are missing, or what was computed is
            not finite, see `FiniteGuard`.
    """
    with _before_the_run():
        runner = _prepare_training(options)
    with saying_how_to_go_on(runner, options.command):
        runner.train()


def _prepare_training(options: TrainOptions) -> QuietRunner:
    check_launcher(options.launcher)
    cfg = train_config(options)
    follow_layout(cfg, 'train_dataloader', 'val_dataloader')
    check_annotations(
        cfg,
        'train_dataloader',
        'val_dataloader',
        category=options.category,
        allow_outside=options.allow_outside,
    )
    runner = _build_runner(cfg, options.local_rank)
    if runner.world_size > 1:
        runner.register_hook(AlikeGuard())
    weights.prepare_start(runner, options.resume)
    return runner


def test(options: TestOptions) -> dict:
    """Evaluate the model of a config with the weights of a checkpoint.

    Args:
        options: config and checkpoint, and the other options of `tools/test.py`.

    Returns:
        The metrics, name to value.

    Raises:
        RunError: a file or a setting is missing, or the checkpoint does not fit the model.
    """
    with _before_the_run():
        runner = _prepare_evaluation(options)
    with ending_by_signal(), keeping_poses(runner), naming_dead_workers():
        metrics = runner.test()
    if options.out and is_main_process():
        mmengine.dump(_with_bounds(metrics), options.out)
    return metrics


def _prepare_evaluation(options: TestOptions) -> QuietRunner:
    check_launcher(options.launcher)
    cfg = test_config(options)
    # Before a runner is built, which takes seconds.
    checkpoint = read_checkpoint(options.checkpoint)
    carry_metainfo(cfg, checkpoint.meta.get('dataset_meta', {}))
    if carry_score(cfg, checkpoint.weights):
        settings.rank_by_score(cfg)
    carry_uncertainty(cfg, checkpoint.weights)
    follow_layout(cfg, 'test_dataloader')
    check_annotations(
        cfg,
        'test_dataloader',
        category=options.category,
        allow_outside=options.allow_outside,
    )
    runner = _build_runner(cfg, options.local_rank)
    load_weights(runner.model, checkpoint)
    tell_iterations(runner.message_hub, checkpoint.meta.get('iter'))
    note = note_on_weights(runner.model, checkpoint)
    if note:
        print_log(one_line(note), 'current', logging.WARNING)
    return runner


@contextmanager
def _before_the_run(what: str = '') -> Iterator[None]:
    """Answer with one sentence what the system refuses in the block.

    Later, after hours of running, such errors keep their traceback.

    Args:
        what: what cannot be, before the system's reason.

    Raises:
        RunError: a file is missing, or cannot be read or written.
    """
    try:
        yield
    except OSError as error:
        reason = f'{error.filename}: {error.strerror}' if error.filename else error
        raise RunError(f'{what}{reason}') from error


def _with_bounds(metrics: dict) -> dict:
    """Add the crowd indices between easy, medium and hard images where such numbers are."""
    by_crowding = [name for name in metrics if name.endswith('AP(E)')]
    bounds = {name.replace('AP(E)', 'crowd_index_bounds'): BOUNDS for name in by_crowding}
    return {**metrics, **bounds}


def _build_runner(cfg: Config, local_rank: int) -> QuietRunner:
    """Build the runner, which joins the other processes of a distributed run."""
    if cfg.launcher != 'none':
        os.environ.setdefault('LOCAL_RANK', str(local_rank))  # MMEngine looks only there
    with _before_the_run('the work folder cannot be used: '):
        require_writable(osp.join(cfg.work_dir, '.started'))
    with meeting():
        runner = QuietRunner.from_cfg(cfg)
    runner.register_hook(StartHook())
    return runner


def train_config(options: TrainOptions) -> Config:
    """Read the config and bring the options of a training into it.

    Args:
        options: the config, and the other options of `tools/train.py`.

    Returns:
        The config to build a runner from.

    Raises:
        RunError: a file is missing, or an option needs a setting that the config has not.
    """
    cfg = _shared_config(options)
    if options.no_validate:
        cfg.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
    if options.amp:
        settings.enable_amp(cfg)
    if options.auto_scale_lr:
        settings.scale_learning_rate(cfg)
    settings.enable_overlays(cfg, options, show=options.show)
    weights.choose_start(cfg, options.resume)
    if options.on_device:
        settings.train_on_device(cfg)
    settings.keep_place_in_epoch(cfg)
    settings.guard_numbers(cfg, options.skip_bad_batches)
    return cfg


def test_config(options: TestOptions) -> Config:
    """Read the config and bring the options of an evaluation into it.

    Args:
        options: config and checkpoint, and the other options of `tools/test.py`.

    Returns:
        The config to build a runner from. It is named `test_CONFIG`, so that the copy that a
        runner leaves in its work folder does not replace the one of the training.

    Raises:
        RunError: a file is missing, or an option needs a setting that the config has not.
        InputError: one of `ann` and `img` is missing.
    """
    cfg = _shared_config(options)
    require_checkpoint(options.checkpoint)
    cfg.update(load_from=None, resume=False)  # the checkpoint is loaded by `test`
    if options.ann or options.img:
        point_at(cfg, options.ann, options.img)
    weights.drop_backbone_init(cfg)
    settings.drop_weight_averaging(cfg)
    settings.enable_overlays(cfg, options, show=options.show and not options.badcase)
    if options.badcase:
        settings.enable_badcase(cfg, options)
    if options.dump:
        settings.dump_predictions(cfg, options.dump)
    if options.amp or options.compile:
        settings.accelerate(cfg, options.amp, options.compile)
    if options.json:
        settings.write_poses(cfg, options.json)
    settings.require_suffix('--out', options.out, ('.json', '.yaml', '.yml', '.pkl', '.pickle'))
    for path in filter(None, (options.out, options.json, options.dump)):
        require_writable(path)
    name = f'test_{osp.basename(config_path(options.config))}'
    return Config(cfg.to_dict(), cfg_text=cfg.text, filename=name)


def _shared_config(options: RunOptions) -> Config:
    """Read the config, merge `cfg_options`, and settle work folder and launcher.

    `cfg_options` come first, so that the other options find the config in the shape in which its
    author wrote it.
    """
    try:
        path = config_path(options.config)
    except FileNotFoundError as error:
        raise RunError(str(error)) from error
    if 'launcher' in (options.cfg_options or {}):
        raise InputError('launcher is no setting of --cfg-options: name it by --launcher')
    cfg = read_config(path, options.cfg_options)
    check_named_settings(cfg)
    check_plain_settings(cfg)
    check_training_settings(cfg)
    check_settings(cfg.model)
    settings.fit_workers(cfg, options.cfg_options or {})
    settings.allow_no_workers(cfg)
    stem = osp.splitext(osp.basename(path))[0]
    cfg.work_dir = options.work_dir or cfg.get('work_dir') or osp.join('work_dirs', stem)
    cfg.launcher = options.launcher
    settings.use_gloo_without_cuda(cfg)
    return cfg
