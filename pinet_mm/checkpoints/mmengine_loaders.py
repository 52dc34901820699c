"""MMEngine's loaders of checkpoints, replaced by the package's own.

MMEngine unpickles what it downloads, whatever that does. Importing this module replaces its loaders
of paths and URLs, and with them `init_cfg`, `load_from`, `--resume` and MMPose's inferencers read
as `read_checkpoint` does.
"""

from typing import Any

import mmengine.runner.checkpoint as of_mmengine
from mmengine.runner import CheckpointLoader

from .files import read_content, require_checkpoint


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Read a file for MMEngine.

    Args:
        filename: path of the file.
        map_location: ignored: all weights come on the CPU, and move as they are loaded.

    Raises:
        CheckpointError: it does not exist, cannot be read or asks for more than weights.
    """
    require_checkpoint(filename)
    return _without_programs(read_content(filename))


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: Any = None, **options: Any) -> Any:
    """Read what a URL leads to for MMEngine, see `load_from_local`.

    Args:
        filename: the URL.
        map_location: ignored.
        **options: ignored: the file goes to torch's cache.
    """
    return _without_programs(read_content(filename))


def _without_programs(content: Any) -> Any:
    # A runner that resumes executes this text, for the sake of checkpoints of long ago.
    if isinstance(content, dict) and isinstance(content.get('meta'), dict):
        content['meta'].pop('config', None)
    return content


# `torchvision://` and `open-mmlab://` look up a URL and call this.
of_mmengine.load_from_http = load_from_http
