"""What `make docs` adds to the site for the page "Try it in the browser".

MkDocs calls the functions that start with `on_`. The model is the one that the package ships; ONNX
Runtime Web is fetched with npm once, checked, and kept in `.cache`; where that fails, the site is
built all the same, and the page says what is missing.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.onnx_runner import POSE_THRS, OnnxPoses

import cv2
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / 'pinet_mm' / 'weights' / 'pinet_lite_photos.onnx'
PAGE, PLACE = 'try.md', 'assets/try'  # the latter holds the page's own files as well
RUNTIME = 'onnxruntime-web@1.30.0'
# As `npm view` tells it.
SHA512 = 'q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=='
RUNTIME_FILES = ('ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm')
CACHE = ROOT / '.cache' / RUNTIME
SECONDS = 300  # for 33 MB
# Drawn, since no photograph of a group is at hand whose terms are clear: seed and index.
EXAMPLE, DRAWN = 'example/crowd.png', (0, 0)


class MissingError(Exception):
    """The runtime cannot be had here."""


def fetch_runtime(cache: Path) -> Path:
    """Return the folder with the files of ONNX Runtime Web, after fetching them if need be.

    Args:
        cache: the folder.

    Raises:
        MissingError: npm is missing or cannot fetch it, or what it fetched is something else.
    """
    if not all((cache / name).is_file() for name in RUNTIME_FILES):
        with tempfile.TemporaryDirectory() as folder:
            archive = _download(folder)
            _check(archive)
            _unpack(archive, cache)
    return cache


def _download(folder: str) -> Path:
    command = ('npm', 'pack', RUNTIME, '--loglevel=error', '--prefer-offline', '--fetch-retries=1')
    try:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=SECONDS
        )
        (archive,) = Path(folder).glob('*.tgz')
    except FileNotFoundError:
        raise MissingError('npm, which fetches it, is not installed') from None
    except subprocess.TimeoutExpired:
        raise MissingError(f'npm did not fetch it within {SECONDS} seconds') from None
    except (subprocess.CalledProcessError, ValueError) as error:
        said = getattr(error, 'stderr', '').strip() or 'no archive'
        raise MissingError(f'npm could not fetch it ({said.splitlines()[0]})') from None
    return archive


def _check(archive: Path) -> None:
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != SHA512:
        raise MissingError(f'the archive must have the SHA-512 {SHA512}; found {found}')


def _unpack(archive: Path, cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as opened:
        for name in RUNTIME_FILES:
            content = opened.extractfile(f'package/dist/{name}')
            whole = cache / f'{name}.part'
            whole.write_bytes(content.read())
            whole.replace(cache / name)


def added_files() -> tuple[dict[str, Path], dict[str, str | float]]:
    """List what the page needs beside its own files.

    Returns:
        Place below `PLACE` -> file; what `site.json` says: `model`, its file; `pose_thr`, from
        which people are shown at first; `megabytes` that a browser loads; `example`, an image;
        perhaps `missing`, why there is no runtime.
    """
    facts: dict[str, str | float] = dict(model=MODEL.name, example=EXAMPLE)
    facts['pose_thr'] = POSE_THRS[OnnxPoses(str(MODEL)).score_kind]
    loaded = {f'model/{MODEL.name}': MODEL}
    try:
        loaded.update({f'runtime/{name}': fetch_runtime(CACHE) / name for name in RUNTIME_FILES})
    except MissingError as error:
        facts['missing'] = str(error)
    facts['megabytes'] = sum(file.stat().st_size for file in loaded.values()) / 1e6
    others = [MODEL.parent / name for name in ('models.json', 'LICENSE-weights')]
    return loaded | {f'model/{file.name}': file for file in others}, facts


def draw_example() -> bytes:
    """Draw the crowd that the page offers as an example, a PNG file."""
    settings = CrowdSettings(size=(640, 480), persons=(6, 8))
    image, _ = draw_crowd(settings, *DRAWN)
    return cv2.imencode('.png', image)[1].tobytes()


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add model, runtime and example to the files of the site."""
    added, facts = added_files()
    if 'missing' in facts:
        print(f'docs: try.html lacks {RUNTIME}: {facts["missing"]}', file=sys.stderr)
    for place, source in added.items():
        files.append(File.generated(config, f'{PLACE}/{place}', abs_src_path=str(source)))
    files.append(File.generated(config, f'{PLACE}/{EXAMPLE}', content=draw_example()))
    files.append(File.generated(config, f'{PLACE}/site.json', content=json.dumps(facts)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Say on the page what is missing, if anything is."""
    if page.file.src_uri != PAGE:
        return markdown
    facts = json.loads(files.src_uris[f'{PLACE}/site.json'].content_string)
    notice = ''
    if 'missing' in facts:
        notice = (
            '!!! warning "This copy of the site cannot run the model"\n\n'
            f'    It was built without {RUNTIME}: {facts["missing"]}. With Node.js and a network, '
            '`make docs` fetches it.\n'
        )
    return markdown.replace('<!-- what is missing -->', notice)
