"""What inference reads: images, and folders of images."""

from collections.abc import Iterable
from pathlib import Path

PICTURES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')


def find_pictures(inputs: Iterable[str | Path], out_dir: str | Path | None = None) -> list[Path]:
    """List the given pictures and those in the given folders, each folder sorted by name.

    Args:
        inputs: pictures and folders.
        out_dir: a folder to be written into; what lies there is no input.

    Raises:
        FileNotFoundError: an input does not exist, a folder holds no picture, or all pictures lie
            in `out_dir`.
    """
    found = []
    for path in map(Path, inputs):
        inside = (
            [path]
            if path.is_file()
            else sorted(file for file in path.rglob('*') if file.suffix.lower() in PICTURES)
        )
        if not inside:
            problem = 'holds no picture' if path.is_dir() else 'does not exist'
            raise FileNotFoundError(
                f'{path} {problem}; expected a picture or a folder with files '
                f'ending in {", ".join(PICTURES)}'
            )
        found += inside
    if out_dir is None:
        return found
    outside = [file for file in found if Path(out_dir).resolve() not in file.resolve().parents]
    if not outside:
        raise FileNotFoundError(f'all pictures lie in {out_dir}, where overlays are to be written')
    return outside
