"""Versions that PINet was run with: those of requirements.txt, and others."""

# Those in which docs/platforms.md has both ways to install, and that of requirements.txt.
PYTHONS = ('3.10', '3.11', '3.12', '3.13')
# Distribution -> what the cells of docs/platforms.md had besides the version of requirements.txt.
ALSO = {
    'numpy': ('2.2.6', '2.5.5'),
    'onnxruntime': ('1.23.2', '1.32.0'),
    'opencv-python': ('5.0.0.93',),
    'setuptools': ('65.5.0', '81.0.0'),
    'torch': ('2.4.0', '2.14.1', '2.15.0'),
    'torchvision': ('0.19.0', '0.29.2'),
}


def judge_version(name: str, found: str, pinned: str) -> str:
    """Return 'ok' for a version that was tested, else 'untested'.

    The local part does not count: 2.13.0+cpu is a build of 2.13.0.

    Args:
        name: of the distribution.
        found: version that is installed.
        pinned: version of requirements.txt.
    """
    return 'ok' if found.split('+')[0] in (pinned, *ALSO.get(name, ())) else 'untested'
