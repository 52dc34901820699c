"""Write a synthetic crowd to disk: images and one COCO annotation file per split."""

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..atomic import write_whole
from .labels import Person, crowd_index
from .scene import draw_crowd
from .settings import CrowdSettings, check_stream
from .skeletons import LAYOUTS, Layout
from .workers import spread

SUFFIXES = {'.jpg': (cv2.IMWRITE_JPEG_QUALITY, 95), '.png': (cv2.IMWRITE_PNG_COMPRESSION, 1)}


def mask_to_polygons(mask: np.ndarray) -> list[list[int]]:
    """Trace a mask along its pixel edges.

    Holes are kept: the mask is cut through a hole's middle column, and both halves are traced.

    Args:
        mask: (H, W) bool.

    Returns:
        List of flat lists x, y, x, y, ... in the frame of boxes: pixel j covers [j, j + 1].
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return []
    x, y = int(columns[0]), int(rows[0])
    return [
        (polygon + (x, y)).ravel().tolist()
        for polygon in _trace(mask[y : rows[-1] + 1, x : columns[-1] + 1].astype(np.uint8))
    ]


def _trace(mask: np.ndarray) -> list[np.ndarray]:
    """Return (V, 2) int outlines of a uint8 mask, cut open at its holes."""
    # doubled, the outline's pixel centers 2j and 2j + 1 round to the pixel edges j and j + 1
    doubled = cv2.resize(mask, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, tree = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    # the fourth entry of a contour's node is its parent: only holes have one
    holes = [
        contour for contour, node in zip(contours, tree[0] if contours else ()) if node[3] >= 0
    ]
    if not holes:
        return [(contour[:, 0] + 1) // 2 for contour in contours]
    cut = max(1, int(holes[0][:, 0, 0].mean() / 2))
    right = _trace(np.ascontiguousarray(mask[:, cut:]))
    return _trace(np.ascontiguousarray(mask[:, :cut])) + [part + (cut, 0) for part in right]


def annotate(person: Person) -> dict:
    """Return a person's COCO annotation without its ids and its segmentation.

    Args:
        person: A `Person`.
    """
    keypoints = np.round(person.keypoints.astype(float), 2)
    return dict(
        category_id=1,
        iscrowd=0,
        area=person.area,
        bbox=person.bbox.tolist(),
        num_keypoints=int((keypoints[:, 2] > 0).sum()),
        keypoints=keypoints.ravel().tolist(),
        pose=person.pose,
        view=person.view,
        person_height=round(person.height, 2),
    )


def _write_image(
    index: int, folder: Path, settings: CrowdSettings, seed: int, split: str, suffix: str
) -> tuple[dict, list[dict]]:
    """Draw and write one image; return its image record and annotations without ids."""
    image, persons = draw_crowd(settings, seed, index, split)
    name = f'{index:06d}{suffix}'
    write_image(folder / name, image)
    record = dict(id=index, **describe(name, image, persons))
    return record, [
        dict(annotate(item), segmentation=mask_to_polygons(item.mask)) for item in persons
    ]


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image in the format of its suffix, one of `SUFFIXES`.

    Args:
        path: File to write.
        image: (H, W, 3) uint8 BGR.

    Raises:
        OSError: If OpenCV cannot encode it.
    """
    done, data = cv2.imencode(path.suffix, image, SUFFIXES[path.suffix])
    if not done:
        raise OSError(f'OpenCV could not encode {path.name}')
    path.write_bytes(data.tobytes())


def describe(name: str, image: np.ndarray, persons: list[Person]) -> dict:
    """Return an image's COCO record without its id.

    Args:
        name: Its file name in the annotations.
        image: (H, W, 3).
        persons: List of `Person`.
    """
    keypoints = np.stack([person.keypoints for person in persons]) if persons else []
    measured = crowd_index(keypoints, [person.bbox for person in persons])
    height, width = image.shape[:2]
    return dict(file_name=name, width=width, height=height, crowdIndex=round(measured, 4))


def _shares(values: Sequence[float], edges: np.ndarray) -> list[int]:
    return np.histogram(values, edges)[0].tolist()


def summarize(images: list[dict], annotations: list[dict]) -> dict:
    """Count what a dataset holds.

    Args:
        images: COCO image records with `crowdIndex`.
        annotations: COCO annotations of the same images.

    Returns:
        A dict of plain numbers: counts, the crowd index's mean and its histogram over ten equal
        bins of [0, 1]; images with 0, 1, 2, ... people; mean and histogram (the same bins, and one
        for more than 1) of the people's upright height as a share of the image's; and the shares of
        visible (2), covered (1) and absent (0) keypoints.
    """
    crowd = [image['crowdIndex'] for image in images]
    rows = {image['id']: image['height'] for image in images}
    heights = [item['person_height'] / rows[item['image_id']] for item in annotations]
    present = Counter(item['image_id'] for item in annotations)
    crowd_sizes = [present[image['id']] for image in images]
    flags = np.array([item['keypoints'][2::3] for item in annotations]).ravel()
    return dict(
        images=len(images),
        persons=len(annotations),
        crowd_index_mean=round(float(np.mean(crowd)), 4),
        crowd_index_histogram=_shares(crowd, np.linspace(0, 1, 11)),
        persons_histogram=np.bincount(crowd_sizes).tolist(),
        height_share_mean=round(float(np.mean(heights)), 4) if heights else 0.0,
        height_share_histogram=_shares(heights, np.append(np.linspace(0, 1, 11), np.inf)),
        visibility_shares={
            str(flag): round(float((flags == flag).mean()), 4) if len(flags) else 0.0
            for flag in (0, 1, 2)
        },
    )


def with_ids(results: list[tuple]) -> tuple[list[dict], list[dict]]:
    """Return images and annotations with ids; annotations count from 1, as 0 is COCO's 'none'.

    Args:
        results: Pairs of an image record and the annotations without ids of the people in it.
    """
    images, annotations = [], []
    for image, items in results:
        images.append(image)
        for item in items:
            annotations.append(dict(id=len(annotations) + 1, image_id=image['id'], **item))
    return images, annotations


def _category(layout: Layout) -> dict:
    return dict(
        id=1,
        name='person',
        supercategory='person',
        keypoints=list(layout.names),
        skeleton=layout.skeleton(),
    )


def write_dataset(
    out_dir: str | Path,
    settings: CrowdSettings,
    num_images: int,
    seed: int = 0,
    split: str = 'train',
    workers: int = 1,
    suffix: str = '.jpg',
) -> tuple[Path, dict]:
    """Write `images/SPLIT/000000.jpg` ... and, last, `annotations/SPLIT.json`.

    The files are the same bytes whatever the number of workers. Files that are there already are
    overwritten; other files stay.

    Args:
        out_dir: Folder to write into; made if missing.
        settings: A `CrowdSettings`.
        num_images: Number of images, at least 1.
        seed: Non-negative integer.
        split: 'train', 'val' or 'test': disjoint random streams of the same seed.
        workers: Number of processes, at least 1.
        suffix: '.jpg' (quality 95) or '.png'.

    Returns:
        The path of the annotation file and the statistics of `summarize`, which the file's
        `info` holds too.

    Raises:
        TypeError: If `settings` is no `CrowdSettings`.
        ValueError: If another argument is not what is listed above.
    """
    check_request(settings, num_images, seed, split, workers, suffix)
    folder = Path(out_dir) / 'images' / split
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(out_dir) / 'annotations' / f'{split}.json'
    path.unlink(missing_ok=True)  # an earlier run's labels do not belong to the new images
    job = partial(
        _write_image, folder=folder, settings=settings, seed=seed, split=split, suffix=suffix
    )
    images, annotations = with_ids(spread(job, range(num_images), workers))
    statistics = summarize(images, annotations)
    info = dict(
        description='synthetic crowd',
        seed=seed,
        split=split,
        settings=settings.as_dict(),
        statistics=statistics,
    )
    write_annotations(
        path, LAYOUTS[settings.keypoints], info=info, images=images, annotations=annotations
    )
    return path, statistics


def write_annotations(path: Path, layout: Layout, **content: object) -> None:
    """Write a COCO annotation file, whole or not at all.

    Args:
        path: File to write.
        layout: The `Layout` of the category's keypoints.
        **content: All but the categories.
    """
    document = dict(content, categories=[_category(layout)])
    write_whole(path, json.dumps(document, separators=(',', ':')))


def check_request(
    settings: CrowdSettings,
    num_images: int,
    seed: int = 0,
    split: str = 'train',
    workers: int = 1,
    suffix: str = '.jpg',
) -> None:
    """Check the arguments of `write_dataset` before anything is drawn.

    Args:
        settings: See `write_dataset`, as for all others.
        num_images: At least 1.
        seed: At least 0.
        split: A key of `SPLITS`.
        workers: At least 1.
        suffix: '.jpg' or '.png'.

    Raises:
        TypeError: If `settings` is no `CrowdSettings`.
        ValueError: If another argument is not what is listed above.
    """
    if not isinstance(settings, CrowdSettings):
        raise TypeError(f'settings must be a CrowdSettings, got {type(settings).__name__}')
    check_files('num_images', num_images, workers, suffix)
    check_stream(seed, 0, split)


def check_files(name: str, count: int, workers: int, suffix: str) -> None:
    """Check how many files are asked for, of which format, from how many processes.

    Args:
        name: What is counted, for the error.
        count: At least 1.
        workers: At least 1.
        suffix: '.jpg' or '.png'.

    Raises:
        ValueError: If an argument is something else.
    """
    for what, value in ((name, count), ('workers', workers)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f'{what} must be an integer of at least 1, got {value!r}')
    if suffix not in SUFFIXES:
        raise ValueError(f'suffix must be one of {list(SUFFIXES)}, got {suffix!r}')
