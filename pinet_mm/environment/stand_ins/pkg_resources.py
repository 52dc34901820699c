"""What mmengine imports of `pkg_resources`, which setuptools no longer has from version 82 on."""

from importlib import metadata


class DistributionNotFound(Exception):
    """No distribution of that name is installed."""


class Distribution:
    """Answer for an installed distribution.

    Args:
        found: as importlib found it.
    """

    def __init__(self, found: metadata.Distribution):
        self._found = found
        self.version = found.version
        self.location = str(found.locate_file(''))

    def has_metadata(self, name: str) -> bool:
        """Return whether a file of this name is among the metadata."""
        return self._found.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        """Return a file of the metadata, empty without one."""
        return self._found.read_text(name) or ''


def get_distribution(name: str) -> Distribution:
    """Return an installed distribution.

    Args:
        name: of the distribution.

    Raises:
        DistributionNotFound: there is none.
    """
    try:
        return Distribution(metadata.distribution(name))
    except metadata.PackageNotFoundError as error:
        raise DistributionNotFound(name) from error
