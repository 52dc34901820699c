"""Names of heavy modules that other packages import early and use late, or never.

Real modules are imported at the first use of such a name: `scipy.stats`, of which MMPose takes one
distribution, costs as much as half of torch.
"""

import gc
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class DeferredModule:
    """A module that is imported when an attribute of it is first read.

    Args:
        name: its full name.
    """

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the module."""
        return getattr(importlib.import_module(self._name), name)


class Later:
    """Stand in for a function, class or object of a module that is not imported yet.

    Args:
        module: full name of its module, which is imported at the first use.
        name: of the object in it.
    """

    def __init__(self, module: str, name: str):
        self._module, self._name = module, name

    def _find(self) -> Any:
        return getattr(_real(self._module), self._name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the call of the object returns."""
        return self._find()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the object."""
        return getattr(self._find(), name)

    def __instancecheck__(self, instance: Any) -> bool:
        """Return whether something is an instance of the object, a class."""
        return isinstance(instance, self._find())

    def __mro_entries__(self, bases: tuple) -> tuple:
        """Return the base of a class that is derived from the object."""
        return (self._find(),)


class _Deferred(ModuleType):
    """Stand in for a module: some names of it come later, the rest at once from the real one."""

    def __init__(self, module: str, names: Sequence[str]):
        super().__init__(module)
        self._names = names

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(f'module {self.__name__!r} has no attribute {name!r} yet')
        if name in self._names:
            return Later(self.__name__, name)
        return getattr(_real(self.__name__), name)


@contextmanager
def deferred(names: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Let what is imported inside take these names without importing their modules.

    Modules that are imported already are left alone. Afterwards, and as soon as any of them is
    needed, an import finds the real ones.

    Args:
        names: by module, those that what is imported inside does not use yet.
    """
    for module, late in names.items():
        if module not in sys.modules:
            sys.modules[module] = _Deferred(module, late)
    try:
        yield
    finally:
        _drop_stand_ins()


def _real(module: str) -> ModuleType:
    # All of them go: a real module that is imported may derive from what another one defers.
    _drop_stand_ins()
    return importlib.import_module(module)


def _drop_stand_ins() -> None:
    for name, module in list(sys.modules.items()):
        if isinstance(module, _Deferred):
            del sys.modules[name]


@contextmanager
def without_collector() -> Iterator[None]:
    """Import inside without searching for garbage.

    Modules make hundreds of thousands of objects that stay: searching them again and again took a
    quarter of the time that importing MMPose takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
