"""Names of a folder that import their module when they are first used."""

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any


def lazy(folder: str, modules: Sequence[str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a folder that offers the names in its `__all__`.

    Args:
        folder: its full name.
        modules: of the folder, that have these names; they are imported in this order.

    Raises:
        AttributeError: by what is returned, for a name that the folder does not offer.
    """

    def find(name: str) -> Any:
        if name in sys.modules[folder].__all__:
            for module in modules:
                found = vars(importlib.import_module(f'.{module}', folder))
                if name in found:
                    return found[name]
        raise AttributeError(f'module {folder!r} has no attribute {name!r}')

    return find
