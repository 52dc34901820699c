"""Which packages of training are missing, and the commands that install them.

There are two ways to install: `pip install pinet_mm` brings the light runtime, which finds poses
with an exported model; the extra `train` and `pinet-mm install-mmpose` bring all else.
"""

import importlib.util

MMPOSE = '1.3.2'  # the last release; `compat` repairs exactly this one
TRAIN = "pip install 'pinet_mm[train]'"
INSTALL_MMPOSE = 'pinet-mm install-mmpose'

# Packages of the extra `train` that decide whether it is installed.
OF_TRAIN = ('torch', 'torchvision', 'timm', 'mmengine', 'mmcv', 'mmdet', 'pycocotools')


def is_installed(package: str) -> bool:
    """Return whether a top-level package can be found, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:  # a finder that refuses it
        return False


def missing_packages() -> list[str]:
    """Return which of the packages that training needs cannot be found, MMPose last."""
    return [name for name in (*OF_TRAIN, 'mmpose') if not is_installed(name)]


def remedy(missing: list[str]) -> str:
    """Return the commands that bring what is missing, see `missing_packages`."""
    of_train = [name for name in missing if name != 'mmpose']
    commands = [TRAIN] * bool(of_train) + [INSTALL_MMPOSE] * ('mmpose' in missing)
    return ' && '.join(commands)


def explain(what: str) -> str:
    """Return a sentence on what is missing for something, with the commands that bring it.

    Args:
        what: what needs MMPose, such as the name of a module.
    """
    missing = missing_packages() or ['mmpose']
    return f'{what} needs {", ".join(missing)}: run {remedy(missing)}'
