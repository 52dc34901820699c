"""Train and evaluate by MMEngine's runner, with messages that say why a run cannot start.

`run` has `train` and `test`, `options` their options; `settings` turns options into changes of the
config, `weights` finds and checks checkpoints. `training` holds the classes that configs can name.
"""

from ..errors import RunError
from .faults import FiniteGuard
from .on_device import DeviceTrainLoop
from .options import RunOptions, TestOptions, TrainOptions
from .run import test, test_config, train, train_config
from .saving import WholeCheckpointHook
from .trackers import MLflowImages
from .training import CPUAmpOptimWrapper, ResumableEpochLoop

__all__ = [
    'CPUAmpOptimWrapper',
    'DeviceTrainLoop',
    'ResumableEpochLoop',
    'FiniteGuard',
    'MLflowImages',
    'RunError',
    'RunOptions',
    'TestOptions',
    'TrainOptions',
    'WholeCheckpointHook',
    'test',
    'test_config',
    'train',
    'train_config',
]
