"""Torch's sharding, of which mmengine derives three classes, and which it imports at once."""

import importlib

from .deferred import deferred
from .packages import installed
from .wrapping import wrap_once

# What mmengine derives, by the names under which configs ask for it.
MODULES = dict(
    ZeroRedundancyOptimizer='mmengine.optim.optimizer.zero_optimizer',
    MMFullyShardedDataParallel='mmengine.model.wrappers.fully_sharded_distributed',
    FSDPStrategy='mmengine._strategy.fsdp',
)


def defer_sharding() -> None:
    """Import mmengine without torch's sharding, which costs more than half of torch again.

    The modules that derive from it are imported when a config names what they register.
    """
    if installed('torch', 'mmengine'):
        with deferred({module: (name,) for name, module in MODULES.items()}):
            importlib.import_module('mmengine.runner')
        registry = importlib.import_module('mmengine.registry').Registry
        wrap_once(registry, 'get', _importing_sharding)


def _importing_sharding(get):
    def get_importing_sharding(registry, key):
        module = MODULES.get(key.rpartition('.')[2]) if isinstance(key, str) else None
        if module:
            importlib.import_module(module)
        return get(registry, key)

    return get_importing_sharding
