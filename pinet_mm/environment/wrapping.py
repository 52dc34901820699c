"""Functions of other packages, replaced by wrapped ones."""

import functools
from collections.abc import Callable
from typing import Any


def wrap_once(owner: Any, name: str, wrap: Callable) -> None:
    """Replace the function `owner.name` by what `wrap` makes of it, unless that was done before.

    Args:
        owner: a module or class.
        name: of the function.
        wrap: takes the function and returns the one that replaces it.
    """
    function = getattr(owner, name)
    if not hasattr(function, 'wrapped_by_pinet_mm'):
        wrapped: Any = functools.wraps(function)(wrap(function))
        wrapped.wrapped_by_pinet_mm = True
        setattr(owner, name, wrapped)
