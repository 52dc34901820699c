"""Warnings of the packages underneath that a user of this one can do nothing about.

Each is named by its text and by the module that gives it: all others are shown.
"""

import warnings

# Texts and modules, regular expressions.
KNOWN = (
    # mmengine 0.10.7 imports it; `packages` stands in for it where setuptools no longer has it.
    (r'pkg_resources is deprecated as an API', r'mmengine\.utils\.package_utils'),
    # MMPose finds its own metainfo by the relative names that it and our configs use.
    (
        r'The metainfo config file "configs/_base_/datasets/\w+\.py" does not exist\. A matched ',
        r'mmpose\.datasets\.datasets\.utils',
    ),
    # Copies that torch's own export makes while it translates a model.
    (r'`isinstance\(treespec, LeafSpec\)` is deprecated', r'copyreg'),
    # The reader of checkpoints refuses such a file in words of its own.
    (r"'torch\.load' received a zip file that looks like a", r'pinet_mm\.checkpoints\.files'),
)


def hide() -> None:
    """Hide the warnings in `KNOWN`, from now on."""
    for message, module in KNOWN:
        warnings.filterwarnings('ignore', message, module=module)
