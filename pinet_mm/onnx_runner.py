"""Find poses with an exported PINet: python onnx_runner.py [MODEL.onnx] IMAGE...

Prints a line of JSON for each image and, to stderr, which model runs: without MODEL.onnx the one
that the package ships. Needs numpy, OpenCV and ONNX Runtime alone, so that the file can be copied.
`_in` are network-input pixels, `_img` pixels of the image, (x, y) last; sizes are (w, h).
"""

import argparse
import json
import os
import stat
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(2**28))  # read as OpenCV is imported
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')  # ONNX Runtime 1.31 would report its use
import cv2
import numpy as np

MAX_PIXELS, MAX_BYTES = 2**28, 2**30  # what one image may cost, whatever its header says
MAX_RATIO = 32  # of the sides: the short one is enlarged to the network's, the long one with it
SCHEMA = 'pinet_mm.onnx/1'  # docs/export.md says what it holds
CPU = ('CPUExecutionProvider',)  # of ONNX Runtime's providers
# Characters of names that a terminal would obey, or that are no text: they are written out.
WRITTEN = {c: repr(chr(c))[1:-1] for c in (*range(32), *range(127, 160), *range(0xD800, 0xE000))}
SHIPPED = Path(__file__).parent / 'weights' / 'pinet_lite_photos.onnx'
# People who score less are left out. A mean keypoint score is about half of the OKS with a person;
# of expected OKS, 0.4 gives precision 0.62 and recall 0.54 on photographs, and 0.1 0.33 and 0.58.
POSE_THRS = {(MEAN := 'mean keypoint score'): 0.1, (EXPECTED := 'expected OKS'): 0.4}


class Frame(NamedTuple):
    """Place of a network input of `size_in` in the image: `center_img`, `scale_img` (w, h)."""

    size_in: tuple[int, int]
    center_img: np.ndarray
    scale_img: np.ndarray


class OnnxPoses:
    """An exported PINet, called with an image (H, W, 3; uint8, BGR).

    It returns numpy arrays, best person first: `keypoints` (N, K, 2) in pixels of the image,
    `keypoint_scores` (N, K) and `scores` (N,) of the poses.

    Args:
        path: what tools/export_onnx.py wrote.
        providers: of ONNX Runtime.
        threads: of ONNX Runtime, by default one per core.

    Attributes:
        dataset_meta: MMPose's metainfo, with `keypoint_id2name` and `skeleton_links`.
        score_kind: what the scores of people are, a key of `POSE_THRS`.
        warning: what to mind about the weights, usually empty.
    """

    def __init__(self, path: str, providers: Sequence[str] = CPU, threads: int = 0):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, list(providers))
        except Exception as error:  # ONNX Runtime's own share no base class
            raise ValueError(f'{path} is no ONNX file that can be run: {error}') from error
        facts = self.session.get_modelmeta().custom_metadata_map
        wanted = f'{path} must have been written by tools/export_onnx.py, schema {SCHEMA}; found'
        if facts.get('schema') != SCHEMA:
            raise ValueError(f'{wanted} {facts.get("schema")}')
        try:
            self.resize, self.warning = json.loads(facts['resize']), facts.get('warning', '')
            self.score_kind = facts.get('score', MEAN)
            _ = POSE_THRS[self.score_kind]
            self.dataset_meta = json.loads(facts['dataset_meta'], object_hook=_with_numbers)
            keypoints, _, _, _ = self.session.get_outputs()
            names = [self.dataset_meta['keypoint_id2name'][k] for k in range(keypoints.shape[2])]
            _ = [names[k] for link in self.dataset_meta['skeleton_links'] for k in link]
            if self.resize:
                check_shape(fit((1, 1), **self.resize)[0].size_in, 'its input')
        except Exception as error:  # a file that was made up may hold anything
            raise ValueError(f'{wanted} it damaged: {error!r}') from error

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Find the poses of an image (H, W, 3), uint8 BGR, in its pixels."""
        frame, rgb = self.to_input(image)
        keypoints_in, keypoint_scores, scores, count = self.session.run(None, {'images': rgb})
        if (n := count[0]) == scores.shape[1]:
            warnings.warn(f'{n} people, and maybe more: the file has no more rows', stacklevel=2)
        keypoints = keypoints_in[0, :n] / frame.size_in * frame.scale_img
        keypoints = keypoints + frame.center_img - 0.5 * frame.scale_img
        return dict(
            keypoints=keypoints, keypoint_scores=keypoint_scores[0, :n], scores=scores[0, :n]
        )

    def to_input(self, image: np.ndarray) -> tuple[Frame, np.ndarray]:
        """Make the network input of an image, and say where it lies.

        Args:
            image: the image, (h, w, 3) uint8, BGR.

        Returns:
            A `Frame`, and the input (1, 3, H, W) float32, RGB, 0 to 255.

        Raises:
            ValueError: the image is too large or too thin, or the way to resize is unknown.
        """
        check_shape(image.shape, 'the image')
        if not self.resize:
            raise ValueError('the file does not say how to resize images; its config does')
        frame, warp = fit(image.shape[1::-1], **self.resize)
        resized = cv2.warpAffine(image, warp, frame.size_in, flags=cv2.INTER_LINEAR)
        rgb = resized[None, ..., ::-1].transpose(0, 3, 1, 2)
        return frame, np.ascontiguousarray(rgb, dtype=np.float32)


def fit(
    size_img: tuple[int, int], kind: str, size: tuple[int, int], multiple: int
) -> tuple[Frame, np.ndarray]:
    """Lay the network input over an image, as the pipeline of the config does.

    Args:
        size_img: of the image.
        kind: `'BottomupResize'`: the short side becomes that of `size`; `'WholeCentreResize'`, of
            the official implementation: what exceeds a multiple by less than a pixel is cut off.
        size: of a square image's input.
        multiple: sides are rounded up to it.

    Returns:
        The frame, and the (2, 3) matrix from image to input pixels.
    """
    whole, (w, h) = dict(BottomupResize=False, WholeCentreResize=True)[kind], size_img
    size = [-(-side // multiple) * multiple for side in size]
    if whole:
        size_in = tuple(
            int((size[0] / min(w, h) * side + multiple - 1) // multiple * multiple)
            if side > min(w, h)
            else size[0]
            for side in (w, h)
        )
        scale = np.array(size_in) / size[0] * min(w, h) / 200 * 200  # official units: 200 px
        center = np.floor(np.array((w, h)) / 2 + 0.5)
    else:
        content = max(size[0], size[1] * (w / h)), max(size[1], size[0] / (w / h))
        size_in = tuple(int(np.ceil(side / multiple) * multiple) for side in content)
        scale = np.float32((w * size_in[0] / content[0], h * size_in[1] / content[1]))
        center = np.float32((w / 2, h / 2))
    warp = cv2.getAffineTransform(
        _triangle(center, scale[0], whole), _triangle(np.array(size_in) / 2, size_in[0], whole)
    )
    return Frame(size_in, center, scale), warp


def _with_numbers(found: dict) -> dict:  # JSON has no numbers for keys
    return {int(key) if key.isdigit() else key: value for key, value in found.items()}


def _triangle(middle: np.ndarray, width: float, upright: bool) -> np.ndarray:
    # The middle, a point beside or above it, and a third at a right angle to the two.
    away = (0, width / 2) if upright else (width / 2, 0)
    points = np.float32((middle, middle - away, middle))
    points[2] = points[1] + (points[0] - points[1])[::-1] * np.float32((-1, 1))
    return points


def read_image(path: str | Path, flags: int = cv2.IMREAD_COLOR, clean: Any = bytes) -> np.ndarray:
    """Read a file as (H, W, 3) uint8 BGR; with OpenCV's own `flags`, upright by its EXIF tag.

    What `clean` returns of the file's bytes is decoded.

    Raises:
        ValueError: it is missing, no image, cut off, too large or too thin.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:  # a pipe would never end
            raise ValueError(f'{path} is no file of at most {MAX_BYTES} bytes')
        return decode_image(clean(Path(path).read_bytes()), path, flags)
    except OSError as error:
        raise ValueError(f'{path} cannot be read: {error.strerror}') from error


def decode_image(content: bytes, name: str | Path, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Decode the bytes of an image file; `name` is for messages.

    Raises:
        ValueError: see `read_image`.
    """
    at = 8  # A PNG's chunks: OpenCV makes room for what each says that it holds, up to 4 GB.
    while content[:4] == b'\x89PNG' and content[at + 4 : at + 8] not in (b'IEND', b''):
        at += 12 + int.from_bytes(content[at : at + 4], 'big')
    set_level = getattr(cv2, 'setLogLevel', None) or vars(cv2.utils)['logging'].setLogLevel
    level, image = set_level(0), None
    try:
        if at - 4 <= len(content):
            image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        if 'CV_IO_MAX_IMAGE' in str(error):
            raise ValueError(f'{name} is larger than {MAX_PIXELS} pixels') from None
    finally:
        set_level(level)
    if image is None:
        raise ValueError(f'{name} is no image that can be read, or is cut off')
    check_shape(image.shape, name)
    return image


def check_shape(shape: Sequence[int], name: str | Path) -> None:
    """Check that a network can take an image of this shape (H, W, ...).

    Raises:
        ValueError: it is too large or too thin.
    """
    h, w = shape[:2]
    if not (0 < h * w <= MAX_PIXELS and max(h, w) <= MAX_RATIO * min(h, w)):
        raise ValueError(
            f'{name} has {w}x{h} pixels; an image may have up to {MAX_PIXELS} pixels, '
            f'and one side up to {MAX_RATIO} times the other'
        )


def describe(weights: str | Path) -> tuple[str, str]:
    """Return which model a file of weights is, and what to mind about it.

    Args:
        weights: the file; those that the package ships are described by `models.json` beside them.

    Returns:
        A line that names the model, what it knows and its terms if known; a warning, often empty.
    """
    is_ours = os.path.realpath((path := Path(weights)).parent) == os.path.realpath(SHIPPED.parent)
    cards = path.with_name('models.json')
    card = json.loads(cards.read_text()).get(path.stem) if is_ours and cards.is_file() else None
    if card is None:
        return f'model: {weights}', ''
    return f'model: {path.stem} ({card["knows"]}; {card["terms"]})', card.get('warning', '')


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog='python onnx_runner.py',
        usage='%(prog)s [-h] [--pose-thr SCORE] [MODEL.onnx] IMAGE...',
        description=__doc__.splitlines()[0].partition(':')[0] + '; print a line of JSON per image.',
    )
    parser.add_argument('files', nargs='+', metavar='FILE', help='images; before them, a model')
    shown = 'people with a lower score are not printed (0.4 of expected OKS, 0.1 of means)'
    parser.add_argument('--pose-thr', type=float, metavar='SCORE', help=shown)
    return parser


def main(*arguments: str) -> None:
    """Print the people of every image, each with `score` and `keypoints` [x, y, score].

    What is no image gets a line on stderr, and the exit status is 1 after all others are done.

    Args:
        *arguments: an exported file, which may be left out, images, and options.
    """
    parser = make_parser()
    args = parser.parse_args(arguments)
    named = args.files[:1] if args.files[0].endswith('.onnx') else []
    if not (images := args.files[len(named) :]):
        parser.error('name at least one IMAGE')
    model, status = _load(Path(*named or (SHIPPED,))), 0
    lowest = POSE_THRS[model.score_kind] if args.pose_thr is None else args.pose_thr
    for file in images:
        try:
            print(json.dumps(dict(file=file, persons=_persons(model(read_image(file)), lowest))))
        except ValueError as error:
            status = 1
            print(f'error: {error}'.translate(WRITTEN), file=sys.stderr, flush=True)
    sys.exit(status)


def _load(path: Path) -> OnnxPoses:
    try:
        if not path.is_file():
            raise ValueError(f'{path} does not exist: name as MODEL.onnx what pinet-mm export made')
        model = OnnxPoses(path)
    except (ImportError, ValueError) as error:
        sys.exit(f'error: {error}'.translate(WRITTEN))
    said = (each.translate(WRITTEN) for each in (*describe(path), model.warning) if each)
    print(*said, sep='\nwarning: ', file=sys.stderr)
    return model


def _persons(found: dict[str, np.ndarray], pose_thr: float) -> list:
    rows = np.concatenate((found['keypoints'], found['keypoint_scores'][..., None]), axis=-1)
    return [
        dict(score=score, keypoints=keypoints)
        for score, keypoints in zip(found['scores'].tolist(), rows.round(4).tolist())
        if score >= pose_thr
    ]


if __name__ == '__main__':
    main(*sys.argv[1:])
