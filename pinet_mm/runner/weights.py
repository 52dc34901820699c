"""Which weights a training or an evaluation starts from, and the errors if they do not fit."""

import os.path as osp
from collections.abc import Iterator
from functools import partial

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import PretrainedInit
from mmengine.runner import Runner
from torch import nn

from ..checkpoints import check_model, check_overlap, read_checkpoint, require_checkpoint
from ..checkpoints.fit import LATE, unwrapped
from ..environment.printing import one_line
from ..errors import CheckpointError, RunError
from ..method.scoring import score_of
from .resuming import candidates, newest_usable, require_state


def choose_start(cfg: Config, resume: str | None) -> None:
    """Choose which checkpoint training starts from, if any.

    Resuming goes on after the last checkpoint: after a whole epoch with the default checkpoint
    hook; inside an epoch if the hook counts iterations (`by_epoch=False`), where the batches of
    that epoch that were already seen are loaded and skipped (`ResumableEpochLoop`). Without a
    checkpoint yet, `--resume` starts from the beginning, so that one command can be repeated until
    the training is complete; where the last one cannot be used, `prepare_start` takes an older one.
    """
    if resume == 'auto':
        found = candidates(cfg.work_dir)
        # All may be gone; the first is then named.
        resume = next(filter(osp.isfile, found), found[0]) if found else None
        if resume is None:
            cfg.resume = False
            work_dir = one_line(cfg.work_dir)
            print_log(f'{work_dir} holds no checkpoint to resume from: start at the beginning')
    if resume is not None:
        cfg.update(resume=True, load_from=resume)
    if cfg.get('load_from'):
        require_checkpoint(cfg.load_from)


def drop_backbone_init(cfg: Config) -> None:
    """Remove the initial weights of the backbone: a checkpoint has all of them."""
    if cfg.model.get('backbone'):
        cfg.model.backbone.init_cfg = None


def _pretrained_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Return the modules that start from a checkpoint."""
    for name, module in unwrapped(model).named_modules(prefix='model'):
        settings = getattr(module, 'init_cfg', None) or []
        for init_cfg in [settings] if isinstance(settings, dict) else settings:
            if init_cfg['type'] in ('Pretrained', PretrainedInit):
                yield name, module, init_cfg['checkpoint']


def frozen_but_score(model: nn.Module) -> bool:
    """Return whether a training trains the score of a model's head alone, see `PINet`."""
    return score_of(getattr(unwrapped(model), 'head', None)) is not None


class FreshScore(Hook):
    """Begin a score anew, whatever score the checkpoint of the rest brings.

    The statistics of its norm would go on from those of other features.
    """

    def before_train(self, runner: Runner) -> None:
        """Forget the score that was loaded."""
        score_of(unwrapped(runner.model).head).reset()


def prepare_start(runner: Runner, resume: str | None = None) -> None:
    """Read what a training starts from, before any image is read.

    MMEngine would read it much later, answer a missing file with a long traceback, and only warn of
    weights that do not fit.

    Args:
        runner: whose config was settled by `choose_start`.
        resume: as `choose_start` was given it.

    Raises:
        CheckpointError: a checkpoint cannot be read, or does not fit.
        RunError: a score is to be trained without a checkpoint of the rest.
    """
    load_from, resumes = runner.cfg.get('load_from'), runner.cfg.get('resume')
    if load_from and resumes:
        check = partial(check_model, runner.model)
        if resume == 'auto':
            load_from = newest_usable(candidates(runner.work_dir), check)
            runner._load_from = runner.cfg.load_from = load_from
        else:
            require_state(load_from, check)
    elif frozen_but_score(runner.model):
        if not load_from:
            raise RunError(
                'refinement.score learns on a model that is trained and frozen: name its '
                'checkpoint, --cfg-options load_from=FILE'
            )
        # A checkpoint of the frozen rest need not have what is to learn on it.
        check_model(runner.model, read_checkpoint(load_from), tuple(LATE))
        runner.register_hook(FreshScore())
    elif load_from:
        check_overlap(runner.model, read_checkpoint(load_from))
    if load_from and (resumes or frozen_but_score(runner.model)):
        forget_pretrained(runner.model)  # the checkpoint brings all weights: start offline
    else:
        fetch_pretrained(runner.model)


def fetch_pretrained(model: nn.Module) -> None:
    """Read the checkpoints that parts of a model start from; those of URLs are then in the cache.

    A module that finds its weights in them itself, such as `TimmBackbone`, does so here too.

    Raises:
        CheckpointError: they cannot be read, or are those of another network.
    """
    for name, module, path in _pretrained_modules(model):
        try:
            if hasattr(module, 'read_pretrained'):
                module.read_pretrained()
            else:
                read_checkpoint(path)
        except CheckpointError as error:
            file = osp.basename(path) if '.' in osp.basename(path) else 'weights.pth'
            raise CheckpointError(
                f'{name} cannot start from its pretrained weights: {error}; '
                f'give a local copy with --cfg-options {name}.init_cfg.checkpoint=/path/to/{file}'
                f', or start from random weights with --cfg-options {name}.init_cfg=None'
            ) from error


def forget_pretrained(model: nn.Module) -> None:
    """Prevent the model from loading pretrained weights that a checkpoint will replace.

    The config stays as it is, since its copy in the work folder must still say how training began.
    """
    for _, module, _ in list(_pretrained_modules(model)):
        module.init_cfg = None
