"""Unknown keys of a config: one sentence that names the known ones, not Python's TypeError."""

import inspect
from collections.abc import Mapping

from ..datasets.wrapped import bare_name
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


def check_own_keys(name: str, options: Mapping, kind: type) -> None:
    """Do `check_keys` if the options are of this class; what another takes is not known.

    Args:
        name: of the setting, as a user writes it.
        options: its value.
        kind: the class whose keys are known.
    """
    if bare_name(options) == kind.__name__:
        check_keys(name, options, kind)


def check_class(name: str, built: object, kind: type) -> None:
    """Check what a registry has built, whose settings may name any class.

    Args:
        name: of the setting, as a user writes it.
        built: what was built of it.
        kind: the class that is needed.

    Raises:
        InputError: it is of another class.
    """
    if not isinstance(built, kind):
        raise InputError(f'{name} must be a {kind.__name__}; found {type(built).__name__}')
