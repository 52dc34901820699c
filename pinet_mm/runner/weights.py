"""Which checkpoint a run starts from, and what is said if it is missing or does not fit."""

import os.path as osp
import pickle
from collections.abc import Callable, Iterator
from http.client import HTTPException

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import PretrainedInit, is_model_wrapper
from mmengine.runner import CheckpointLoader, Runner, find_latest_checkpoint
from torch import nn

from ..errors import RunError

# What reading a missing, unreachable or damaged checkpoint raises; torch reports a truncated file
# as a RuntimeError, and a web page in the place of a checkpoint as an UnpicklingError. A backbone
# that reads its weights itself raises a ValueError where they do not fit.
_UNREADABLE = (OSError, HTTPException, EOFError, pickle.UnpicklingError, RuntimeError, ValueError)


def choose_start(cfg: Config, resume: str | None) -> None:
    """Settle which checkpoint training starts from, if any.

    Resuming goes on after the last checkpoint: after a whole epoch with the default checkpoint
    hook; inside an epoch if the hook counts iterations (`by_epoch=False`), where the batches
    of that epoch that were already seen are loaded and passed over (`ResumableEpochLoop`).
    Without a checkpoint yet, `--resume` starts from the beginning, so that one command
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
        require_checkpoint(cfg.load_from)


def _latest_checkpoint(work_dir: str) -> str | None:
    """Find the latest checkpoint of a work folder, also if the folder was moved since."""
    path = find_latest_checkpoint(work_dir)
    if path and not osp.isfile(path):
        path = osp.join(work_dir, osp.basename(path))
    return path


def is_url(path: str) -> bool:
    """Tell whether a checkpoint is named by a URL or another scheme of mmengine's."""
    return '://' in path


def require_checkpoint(path: str) -> None:
    """Check that a checkpoint exists; one that is named by a URL is left to `fetch`.

    Raises:
        RunError: it is a path that leads to no file.
    """
    if not is_url(path) and not osp.isfile(path):
        raise RunError(f'the checkpoint {path!r} does not exist')


def fetch(path: str, what: str, advice: str) -> dict:
    """Read a checkpoint, which downloads it to torch's cache if it is a URL.

    Raises:
        RunError: it could not be read.
    """
    return _fetch(lambda: CheckpointLoader.load_checkpoint(path, map_location='cpu'), what, advice)


def _fetch(read: Callable[[], dict], what: str, advice: str) -> dict:
    try:
        return read()
    except _UNREADABLE as error:
        # torch adds a page of advice, in the first line to trust whoever wrote the file.
        reason = (str(error) or type(error).__name__).splitlines()[0].partition('. ')[0]
        raise RunError(f'{what} could not be had ({reason}): {advice}') from error


def drop_backbone_init(cfg: Config) -> None:
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


def fetch_pretrained(model: nn.Module) -> None:
    """Get the checkpoints that parts of the model start from, before any picture is read.

    mmengine would load them much later and answer a missing network with a page of traceback. A
    module with its own way to read them, such as `TimmBackbone`, goes it here too.

    Raises:
        RunError: they cannot be read, or are those of another network.
    """
    for name, module, path in _pretrained_modules(model):
        what = f'the pretrained weights {path} of {name}'
        file = osp.basename(path) if '.' in osp.basename(path) else 'weights.pth'
        advice = (
            f'give a local copy with --cfg-options {name}.init_cfg.checkpoint=/path/to/{file}'
            f', or start from random weights with --cfg-options {name}.init_cfg=None'
        )
        if hasattr(module, 'read_pretrained'):
            _fetch(module.read_pretrained, what, advice)
        else:
            fetch(path, what, advice)


def forget_pretrained(model: nn.Module) -> None:
    """Keep the model from loading pretrained weights that a checkpoint is about to replace.

    The config stays as it is, for its copy in the work folder must still say how training began.
    """
    for _, module, _ in list(_pretrained_modules(model)):
        module.init_cfg = None


def require_all_weights(model: nn.Module, checkpoint: dict, path: str) -> None:
    """Refuse a checkpoint that leaves weights of the model at random.

    mmengine only warns of weights that are missing or have another shape; a test then ends, much
    later, with an AP of 0.

    Args:
        model: the model, in a wrapper or not.
        checkpoint: what was read from the file.
        path: path or URL of the checkpoint, for the message.

    Raises:
        RunError: the checkpoint lacks weights of the model, or they have another shape.
    """
    model = model.module if is_model_wrapper(model) else model
    wanted = {
        key: value.shape
        for key, value in model.state_dict().items()
        if not key.endswith('num_batches_tracked')
    }
    found = {
        key.removeprefix('module.'): getattr(value, 'shape', None)
        for key, value in checkpoint.get('state_dict', checkpoint).items()
    }
    missing = [key for key in wanted if key not in found]
    if missing:
        raise RunError(
            f'the checkpoint {path} lacks {len(missing)} of the {len(wanted)} weights of '
            f"the config's model, the first of them {missing[0]}: is it the checkpoint of "
            'another config, or one that still has to be converted?'
        )
    for key, shape in wanted.items():
        if found[key] != shape:
            raise RunError(
                f"the checkpoint {path} does not fit the config's model: {key} has the "
                f'shape {tuple(found[key])}, the model {tuple(shape)}'
            )


class RequireAllWeightsHook(Hook):
    """Apply `require_all_weights` to the checkpoint that a runner loads.

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
        require_all_weights(runner.model, checkpoint, self.path)
