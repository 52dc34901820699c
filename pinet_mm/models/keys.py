"""Unknown keys of a config: one sentence that names the known ones, not Python's TypeError."""

import inspect
from collections.abc import Mapping

from ..errors import InputError

# What registries themselves read.
OF_REGISTRIES = ('type', '_scope_')


def check_keys(name: str, options: Mapping, kind: type) -> None:
    """Refuse keys that a class takes no argument for.

    Args:
        name: of the setting, as a user writes it.
        options: its value.
        kind: the class that will be built of it.

    Raises:
        InputError: a key is unknown; names the known ones.
    """
    known = list(inspect.signature(kind).parameters)
    unknown = sorted(set(options) - {*known, *OF_REGISTRIES})
    if unknown:
        raise InputError(f'{name} has the unknown keys {unknown}; known are {known}')
