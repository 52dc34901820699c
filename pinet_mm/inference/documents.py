"""Documents of predictions read back: results of every image, to convert or to count with.

Needs no torch. Reads `predictions.json` of both schemas, and `predictions.jsonl`.
"""

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..onnx_runner import MEAN, POSE_THRS
from .light import LightResult
from .results.records import SCHEMAS, from_record


def read_document(path: str | Path) -> list[LightResult]:
    """Return the results of a document of predictions, an image or frame each.

    Args:
        path: of a `predictions.json` or `predictions.jsonl`.

    Raises:
        InputError: it is neither.
        OSError: it cannot be read.
    """
    return list(results_of(parse(path), path))


def parse(path: str | Path) -> Any:
    """Return what a JSON file holds; of a `predictions.jsonl`, what its document would hold.

    Args:
        path: of the file.

    Raises:
        InputError: it is no file, or no JSON.
        OSError: it cannot be read.
    """
    path = Path(path)
    content = read_file(path)
    try:
        if path.suffix != '.jsonl':
            return json.loads(content)
        lines = content.split(b'\n')[:-1]  # what is behind the last one is half a line
        head, *entries = map(json.loads, lines or [b'{}'])  # of none, no document
        return dict(head, images=[entry for entry in entries if 'persons' in entry])
    except (RecursionError, TypeError, ValueError) as error:
        raise InputError(f'{path} is no JSON that can be read: {error}') from error


def read_file(path: str | Path) -> bytes:
    """Return what a file holds.

    Args:
        path: of the file; pipes and devices, whose content may never end, are refused.

    Raises:
        InputError: it is no regular file.
        OSError: it cannot be read.
    """
    path = Path(path)
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        found = 'a folder' if stat.S_ISDIR(mode) else 'a pipe or device'
        raise InputError(f'{path} must be a file; found {found}')
    return path.read_bytes()


def is_document(found: Any) -> bool:
    """Return whether parsed JSON is a document of predictions."""
    return (
        isinstance(found, Mapping)
        and found.get('schema') in SCHEMAS.values()
        and {'keypoint_names', 'skeleton'} <= found.keys()
        and any(isinstance(found.get(name), list) for name in ('images', 'pictures'))
    )


def require_document(found: Any, path: str | Path) -> None:
    """Check that parsed JSON is a document of predictions.

    Args:
        found: what the file holds.
        path: of the file.

    Raises:
        InputError: it is something else.
    """
    if not is_document(found):
        raise InputError(f'{path} must be a predictions.json; it has not the form of one')


def results_of(found: Any, path: str | Path) -> Iterator[LightResult]:
    """Yield the results of a parsed document.

    Args:
        found: what the file holds.
        path: of the file, for the error.

    Raises:
        InputError: it is no document of predictions, or its header or one of its records is none.
    """
    require_document(found, path)
    known = _header(found, path)
    for i, record in enumerate(found['images' if 'images' in found else 'pictures']):
        try:
            people, place = from_record(record, len(known['keypoint_names'])), _place(record)
        except InputError as error:
            raise InputError(f'{path}: {error}') from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f'{path}: entry {i} of its images is no record: {error!r}') from error
        yield LightResult(people, {**known, **place})


def _header(found: Mapping, path: str | Path) -> dict:
    try:
        known = dict(
            keypoint_names=list(found['keypoint_names']),
            keypoint_links=[(int(i), int(j)) for i, j in found['skeleton']],
            keypoint_sigmas=np.zeros(0),
            score=found.get('score_kind', MEAN),
        )
    except (TypeError, ValueError) as error:
        raise InputError(f'{path}: its header is none of a predictions.json: {error!r}') from error
    kinds = list(POSE_THRS)
    if known['score'] not in kinds:
        raise InputError(f'{path}: its score_kind must be one of {kinds}; found {known["score"]!r}')
    return known


def _place(record: Mapping) -> dict:
    place = dict(img_path=record['file'], ori_shape=(int(record['height']), int(record['width'])))
    if 'frame' in record:
        place.update(frame_index=record['frame'], seconds=record['seconds'])
    return place
