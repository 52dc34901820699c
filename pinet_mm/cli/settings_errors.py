"""Errors that come up while something is built from the settings of a config.

Either the settings are at fault, which takes one line, or the code that is built is: that keeps its
traceback.
"""

import re
import traceback
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple

# What a class raises that cannot be built from the settings of a config.
OF_SETTINGS = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError)
# Those of them by which a class refuses a value; the others may be mistakes in its code.
REFUSALS = (AssertionError, ValueError)
# Packages whose classes are taken to be without such mistakes.
RELEASED = ('mmcv', 'mmdet', 'mmengine', 'mmpose', 'timm', 'torch', 'torchvision')
REGISTRY = 'mmengine.registry.build_functions'
_CALL = re.compile(r"([\w.]+)\.__init__\(\) (?:missing|takes|got an unexpected .* '(\w+)')")


class Build(NamedTuple):
    """What was being built: the frame that calls it, and those inside, innermost last."""

    caller: FrameType
    inside: list[FrameType]

    @property
    def kind(self) -> Callable | None:
        """Return the class or function that the registry calls, None before it is found."""
        return self.caller.f_locals.get('obj_cls')

    @property
    def name(self) -> str:
        """Return the name of what was being built."""
        function = self.caller.f_code.co_name
        if function == 'from_cfg':
            return 'the runner'
        return getattr(self.kind, '__name__', None) or function.removeprefix('build_').removeprefix(
            'turn_on_'
        )


def find_build(error: Exception) -> Build | None:
    """Return the innermost build that an error came up in, None if it was in none.

    Args:
        error: as it was caught.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for place in reversed(range(len(frames))):
        if _builds(frames[place]):
            return Build(frames[place], frames[place + 1 :])
    return None


def _builds(frame: FrameType) -> bool:
    module, function = frame.f_globals.get('__name__'), frame.f_code.co_name
    of_runner = module == 'mmengine.runner.runner' and function.startswith(('build_', 'from_cfg'))
    # The layout is built before the codec is, to be compared with the data; the others change
    # parts of a model that a config names.
    others = ('build_layout', 'turn_on_activation_checkpointing', 'turn_on_efficient_conv_bn_eval')
    return module == REGISTRY or of_runner or function in others


def is_of_settings(error: Exception, build: Build) -> bool:
    """Return whether settings are at fault rather than the code of what is built from them.

    Args:
        error: what was raised.
        build: where.
    """
    released = getattr(build.kind, '__module__', 'mmengine').partition('.')[0] in RELEASED
    return (
        isinstance(error, REFUSALS)
        or not build.inside
        or released
        or _is_in_released_base(build)
        or _is_of_signature(str(error), build)
    )


def _is_in_released_base(build: Build) -> bool:
    """Return whether a class handed its settings on to one that it inherits, which failed."""
    return any(
        frame.f_code.co_name == '__init__'
        and type(frame.f_locals.get('self')) is build.kind
        and frame.f_globals.get('__name__', '').partition('.')[0] in RELEASED
        for frame in build.inside
    )


def _is_of_signature(text: str, build: Build) -> bool:
    """Return whether a constructor, or one that it inherits, does not take the settings."""
    found = _CALL.match(text)
    if found is None:
        return False
    constructors = {each.__qualname__ for each in getattr(build.kind, '__mro__', ())}
    known = found[2] is None or found[2] in build.caller.f_locals.get('args', ())
    return found[1] in constructors and known


def describe(error: Exception, text: str, build: Build) -> str:
    """Return one line on settings from which something cannot be built.

    Args:
        error: what was raised.
        text: what it says.
        build: where.
    """
    text = ' '.join(text.split())
    refused = build.kind is None and build.caller.f_code.co_name == 'build_from_cfg'
    if refused and not build.inside:
        return text  # no such class: the registry's own sentence
    return (
        f'{build.name} cannot be built from its settings: {type(error).__name__}: '
        f'{text or "no reason given"} (--debug shows where)'
    )
