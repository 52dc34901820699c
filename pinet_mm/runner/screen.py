"""What a run shows on the screen: what it is about and how it goes on. Its log file has all."""

import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from ..checkpoints.fit import unwrapped
from ..environment.printing import one_line
from ..errors import CheckpointError, InputError, RunError
from ..method.layouts import PartLayout
from .resuming import check_optimizers

# What MMEngine and torch raise where a state is not what they expect.
OF_STATES = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError)

# Packages whose messages go to the log file alone: settings, environment, every parameter group.
FRAMEWORK = ('mmcv', 'mmdet', 'mmengine', 'mmpose')
# Of them, what belongs on the screen: progress, and what a training starts from.
SHOWN_MODULES = ('mmengine.hooks.',)
SHOWN_FUNCTIONS = ('load_checkpoint', 'resume', 'scale_lr')
# Warnings that ask for nothing: frozen parameters, and a class that MMEngine's own hook uses.
HIDDEN_MODULES = ('mmengine.fileio.', 'mmengine.optim.optimizer.default_constructor')
# Messages of the hooks that `StartHook` gives in fewer words, or that repeat the log's name.
HIDDEN_TEXTS = ('Checkpoints will be saved to', 'Exp name: ')
MOST_NAMES = 6  # of a part, that are listed
_LOGGING = ('logging', 'mmengine.logging.logger')


class ScreenFilter(logging.Filter):
    """Keep from the screen what the packages underneath say about themselves."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a message is shown.

        Args:
            record: the message, while it is being logged.
        """
        if not getattr(record, 'screen', True):
            return False
        module, function = _origin()
        if record.levelno >= logging.WARNING:
            return not module.startswith(HIDDEN_MODULES)
        if str(record.msg).startswith(HIDDEN_TEXTS):
            return False
        if module.partition('.')[0] not in FRAMEWORK:
            return True
        return module.startswith(SHOWN_MODULES) or function in SHOWN_FUNCTIONS


def _origin() -> tuple[str, str]:
    """Return module and function that are logging, behind the helpers of logging itself."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals.get('__name__', '') in _LOGGING:
        frame = frame.f_back
    return frame.f_globals.get('__name__', ''), frame.f_code.co_name


class QuietRunner(Runner):
    """MMEngine's runner, with a screen that is filtered by `ScreenFilter`.

    `log_level='DEBUG'` shows everything.
    """

    def build_logger(self, log_level: int | str = 'INFO', *args, **kwargs) -> MMLogger:
        """Build the logger, as the base class does.

        Args:
            log_level: lowest level that is logged.
            *args: of the base class.
            **kwargs: of the base class.
        """
        logger = super().build_logger(log_level, *args, **kwargs)
        if log_level not in ('DEBUG', logging.DEBUG):
            for handler in logger.handlers:
                if not isinstance(handler, logging.FileHandler):
                    handler.addFilter(ScreenFilter())
        return logger

    def resume(self, filename: str, *args: Any, **options: Any) -> None:
        """Go on from a checkpoint, as the base class does.

        Args:
            filename: of the checkpoint.
            *args: of the base class.
            **options: of the base class.

        Raises:
            CheckpointError: it holds the state of another training.
        """
        try:
            super().resume(filename, *args, **options)
            if isinstance(self.optim_wrapper, OptimWrapper | OptimWrapperDict):
                check_optimizers(self.optim_wrapper)
        except (InputError, RunError):
            raise
        except OF_STATES as error:
            raise CheckpointError(
                f'the checkpoint {filename} holds the state of another training, or a damaged one '
                f'({" ".join(str(error).split())[:200]}): start from its weights with '
                f'--cfg-options load_from={filename}'
            ) from error

    def build_dataloader(self, *args: Any, **options: Any) -> DataLoader:
        """Build a dataloader; what its dataset prints goes to the log.

        Raises:
            RunError: it has nothing to load.
        """
        with self._printing_to_log():
            loader = super().build_dataloader(*args, **options)
        require_batches(loader)
        return loader

    def build_evaluator(self, evaluator: Any) -> Evaluator:
        """Build an evaluator; what its metrics print goes to the log."""
        with self._printing_to_log():
            return super().build_evaluator(evaluator)

    @contextlib.contextmanager
    def _printing_to_log(self) -> Iterator[None]:
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                yield
        finally:
            if printed.getvalue().strip():
                self.logger.info(printed.getvalue().strip(), extra=dict(screen=False))


class StartHook(Hook):
    """Say in a few lines what is trained or evaluated, on what, and where the log is."""

    priority = 'VERY_LOW'

    def before_train(self, runner: Runner) -> None:
        """Say what is trained, on how many images, how long, and where files go."""
        lines = [
            f'training {describe_model(runner.model)}',
            *_parts(runner),
            f'on {_data(runner.train_dataloader)}, to {_end(runner)}{_validation(runner)}',
            f'log, with config and environment: {runner.logger.log_file}',
            f'checkpoints: {runner.work_dir}',
        ]
        for line in lines:
            runner.logger.info(one_line(line))

    def before_test(self, runner: Runner) -> None:
        """Say what is evaluated, on how many images, and where the log is."""
        runner.logger.info(f'evaluating {describe_model(runner.model)}')
        runner.logger.info(one_line(f'on {_data(runner.test_dataloader)}'))
        runner.logger.info(one_line(f'log, with config and environment: {runner.logger.log_file}'))


def require_batches(loader: DataLoader) -> None:
    """Check that a dataloader has something to load, if that can be known.

    MMEngine would fail at the first schedule, or train and evaluate on nothing.

    Raises:
        RunError: its dataset has no images, or they make no batch.
    """
    dataset = loader.dataset
    count = len(dataset) if hasattr(dataset, '__len__') else None
    file = getattr(dataset, 'ann_file', '')
    name = type(dataset).__name__ + (f' of {file}' if file else '')
    if count == 0:
        raise RunError(f'the dataset {name} has no images')
    if count is None or len(loader) > 0:
        return
    if loader.batch_size is None or not len(loader.sampler):
        raise RunError(
            f'the dataset {name} has {count} images, of which this process has no batch: use '
            'fewer processes, or a smaller batch'
        )
    raise RunError(
        f'the dataset {name} has {len(loader.sampler)} images for this process, which make no '
        f'batch of {loader.batch_size}: lower batch_size, or set drop_last=False'
    )


def describe_model(model: nn.Module) -> str:
    """Return a phrase on class, backbone, size and device of a model."""
    network = unwrapped(model)
    backbone = getattr(network, 'backbone', None)
    name = type(network).__name__ + (f' on {type(backbone).__name__}' if backbone else '')
    parameters = list(network.parameters())
    count = sum(each.numel() for each in parameters)
    trained = sum(each.numel() for each in parameters if each.requires_grad)
    part = '' if trained == count else f', {_short(trained)} of them trained'
    return f'{name}, {_short(count)} parameters{part}, device {parameters[0].device}'


def _parts(runner: Runner) -> list[str]:
    """Return a line on the parts of a PINet, and where they come from; none for other models."""
    layout = getattr(getattr(unwrapped(runner.model), 'head', None), 'layout', None)
    if not isinstance(layout, PartLayout):
        return []
    chosen = runner.cfg.model.head.decoder.layout.get('parts')
    parts = [
        f'{name} ({_members([layout.keypoint_names[k] for k in part])})'
        for name, part in zip(layout.part_names, layout.parts)
    ]
    origin = '' if chosen else ', derived from the skeleton'
    return [f'{layout.num_keypoints} keypoints; parts{origin}: {", ".join(parts)}']


def _members(names: list[str]) -> str:
    return ', '.join(names) if len(names) <= MOST_NAMES else f'{len(names)} keypoints'


def _short(count: int) -> str:
    return f'{count / 1e6:.1f} M' if count >= 1e5 else str(count)


def _data(loader) -> str:
    kind = type(loader.dataset).__name__
    return f'{len(loader.dataset)} images ({kind}) in {len(loader)} batches'


def _end(runner: Runner) -> str:
    loop = runner.train_loop
    if isinstance(loop, IterBasedTrainLoop):
        return f'iteration {loop.max_iters}'
    return f'epoch {loop.max_epochs}'


def _validation(runner: Runner) -> str:
    if runner._val_loop is None:
        return '; no validation'
    return f'; validation on {_data(runner.val_dataloader)}'
