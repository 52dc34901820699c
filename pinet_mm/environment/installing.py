"""Which packages of training are missing, and the commands that install them.

There are two ways to install: the package alone is the light runtime, which finds poses with an
exported model; its extra `train` and `pinet-mm install-mmpose` bring what training needs. Extras
come from where the package itself came from, since no index has it.
"""

import importlib.util
import json
import shlex
from importlib import metadata
from pathlib import Path

MMPOSE = '1.3.2'  # the last release; `compat` repairs exactly this one
INSTALL_MMPOSE = 'pinet-mm install-mmpose'
ROOT = Path(__file__).resolve().parents[2]  # the folder that holds the package

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


def install_light() -> str:
    """Return the command that brings the light runtime, from where the package itself came."""
    return _install('')


def install_extra(name: str) -> str:
    """Return the command that brings an extra of the package, from where the package itself came.

    Args:
        name: of the extra, such as `train` or `video`.
    """
    return _install(f'[{name}]')


def _install(extra: str) -> str:
    if (ROOT / 'setup.cfg').is_file():  # a checkout
        return f'pip install {shlex.quote(f"{ROOT}{extra}")}'
    return f'pip install {shlex.quote(f"pinet_mm{extra}{_origin()}")}'


def _origin() -> str:
    # What pip notes by PEP 610 where a package came from a wheel, an archive or a repository.
    try:
        noted = json.loads(metadata.distribution('pinet_mm').read_text('direct_url.json') or '{}')
    except (metadata.PackageNotFoundError, ValueError):
        return ''
    vcs = f'{noted["vcs_info"]["vcs"]}+' if 'vcs_info' in noted else ''
    return f' @ {vcs}{noted["url"]}' if 'url' in noted else ''


def remedy(missing: list[str]) -> str:
    """Return the commands that bring what is missing, see `missing_packages`."""
    of_train = [name for name in missing if name != 'mmpose']
    commands = [install_extra('train')] * bool(of_train) + [INSTALL_MMPOSE] * ('mmpose' in missing)
    return ' && '.join(commands)


def install_whole() -> str:
    """Return the commands that bring what training lacks; if nothing is missing, the extra anew."""
    return remedy(missing_packages()) or install_extra('train')


def explain(what: str) -> str:
    """Return a sentence on what is missing for something, with the commands that bring it.

    Args:
        what: what needs MMPose, such as the name of a module.
    """
    missing = missing_packages() or ['mmpose']
    return f'{what} needs {", ".join(missing)}: run {remedy(missing)}'
