"""Where the package's own configs are, in a checkout and in an installed package."""

from pathlib import Path


def config_path(name: str) -> Path:
    """Find one of the project's configs, such as `pinet_hrnet_crowdpose.py`, or take a path.

    Raises:
        FileNotFoundError: there is no such file, neither here nor among the configs.
    """
    package, file = Path(__file__).parent, f'{str(name).removesuffix(".py")}.py'
    # A wheel carries the configs inside the package, a checkout beside it.
    places = [Path(name), package / '.mim' / 'configs' / file, package.parent / 'configs' / file]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f'{name} is no config file; tried {", ".join(map(str, places))}')
