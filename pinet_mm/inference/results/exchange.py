"""Poses for CVAT and Label Studio, to be corrected there, and what these tools export.

Needs numpy only. CVAT reads and writes COCO's keypoint annotations. Label Studio has a box per
person with named keypoints as its children, all in percent of the image.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote, unquote

from ...errors import InputError
from ..people import AUTO

HIDDEN = 0.5  # keypoints that score less than this share of the person's mean are likely hidden
REGIONS = ('rectanglelabels', 'keypointlabels')  # of an export; relations are not read
UPLOADED = '^[0-9a-f]{8}-'
SERVED = '/data/local-files/?d='  # and the path below the folder that Label Studio serves
MARK = 0.5  # percent of the image, the size of a keypoint in Label Studio


def to_cvat(results: Iterable[Any], category: str = 'person', pose_thr: float | str = AUTO) -> dict:
    """Return COCO keypoint annotations, which CVAT imports as `COCO Keypoints 1.0`.

    Args:
        results: see `Answer`; the task has images of the same file names in one folder, or is the
            one video whose frames they are.
        category: label of the task's skeleton; its points are named as the model's keypoints.
        pose_thr: people with a lower score are left out, see `lowest_score`.

    Raises:
        InputError: there is no result, which names the keypoints; frames are of several videos; or
            two images have one name, of which CVAT looks neither at folder nor at suffix.
    """
    results = list(results)
    if not results:
        raise InputError('to_cvat needs one result at least, for the names of the keypoints')
    videos = {result.file for result in results if result.frame is not None}
    if len(videos) > 1:
        raise InputError(f'a task of CVAT has one video; found {", ".join(sorted(videos))}')
    _require_names_of_their_own((_name_in_cvat(each) for each in results), 'CVAT')
    images, annotations = [], []
    for i, result in enumerate(results, start=1):
        record = result.to_record(pose_thr)
        size = dict(width=record['width'], height=record['height'])
        images.append(dict(id=i, file_name=_name_in_cvat(result), **size))
        for person in record['persons']:
            number = len(annotations) + 1
            annotations.append(dict(id=number, image_id=i, **_coco_person(person)))
    skeleton = [[i + 1, j + 1] for i, j in results[0].skeleton]
    categories = [dict(id=1, name=category, keypoints=results[0].names, skeleton=skeleton)]
    return dict(images=images, annotations=annotations, categories=categories)


def _name_in_cvat(result: Any) -> str:
    # CVAT finds a frame by its number in the whole video, whatever the start and step of the task.
    return PurePath(result.file).name if result.frame is None else f'frame_{result.frame:06d}.PNG'


def _coco_person(person: Mapping) -> dict:
    x1, y1, x2, y2 = person['bbox']
    mean = sum(score for *_, score in person['keypoints']) / len(person['keypoints'])
    points = [(x, y, 1 if score < HIDDEN * mean else 2) for x, y, score in person['keypoints']]
    w, h = round(x2 - x1, 2), round(y2 - y1, 2)
    return dict(
        category_id=1,
        keypoints=[number for point in points for number in point],
        num_keypoints=len(points),
        bbox=[x1, y1, w, h],
        area=round(w * h, 2),
        iscrowd=0,
        segmentation=[],  # CVAT leaves out a person without it
        score=person['score'],
    )


def to_label_studio(
    results: Iterable[Any], folder: str | None = None, pose_thr: float | str = AUTO
) -> list[dict]:
    """Return Label Studio's tasks with the people as predictions.

    The labeling interface has an Image `image`, RectangleLabels `person` with the label `person`,
    and KeyPointLabels `keypoint` with the names of the model's keypoints.

    Args:
        results: see `Answer`.
        folder: what Label Studio needs before the name of an image's file. By default it is that
            of its local storage, and the folder in which the image lies: this folder is to be the
            storage's path, and the one above it `LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`.
        pose_thr: people with a lower score are left out, see `lowest_score`.

    Raises:
        InputError: a result is of a frame of a video, whose keypoints Label Studio does not take,
            or two images in different folders have one name.
    """
    results, tasks = list(results), []
    for result in results:
        if result.frame is not None:
            raise InputError(f'{result.file} is a video; keypoints of Label Studio are of images')
    _require_names_of_their_own((PurePath(each.file).name for each in results), 'Label Studio')
    for number, result in enumerate(results, start=1):
        record = result.to_record(pose_thr)
        found = [
            each
            for i, person in enumerate(record['persons'])
            for each in _regions(person, f'image{number}-person{i}', result.names, result.size)
        ]
        scores = [person['score'] for person in record['persons']]
        prediction = dict(model_version='pinet_mm', score=max(scores, default=0), result=found)
        image = _address_of(record['file'], folder)
        tasks.append(dict(data=dict(image=image), predictions=[prediction]))
    return tasks


def _address_of(file: str, folder: str | None) -> str:
    path = PurePath(file)
    if folder is not None:
        return folder + quote(path.name)
    if '://' in file:
        return file
    return SERVED + quote(PurePath(path.parent.name, path.name).as_posix())


def _require_names_of_their_own(names: Iterable[str], tool: str) -> None:
    # CVAT compares names without their suffixes.
    keys = (PurePath(name).with_suffix('') if tool == 'CVAT' else name for name in names)
    for name, count in Counter(keys).items():
        if count > 1:
            raise InputError(
                f'{count} images are called {PurePath(name).name}, whatever their folders: '
                f'{tool} would mistake one for another'
            )


def _regions(
    person: Mapping, name: str, names: Sequence[str], size: tuple[int, int]
) -> Iterator[dict]:
    w, h = size
    place = dict(to_name='image', original_width=w, original_height=h, image_rotation=0)
    x1, y1, x2, y2 = person['bbox']
    sides = dict(width=round((x2 - x1) / w * 100, 5), height=round((y2 - y1) / h * 100, 5))
    box = dict(_percent(x1, y1, size), **sides)
    yield dict(
        place,
        id=name,
        from_name='person',
        type='rectanglelabels',
        score=person['score'],
        value=dict(box, rotation=0, rectanglelabels=['person']),
    )
    for k, (x, y, score) in enumerate(person['keypoints']):
        yield dict(
            place,
            id=f'{name}-{k}',
            parentID=name,
            from_name='keypoint',
            type='keypointlabels',
            score=score,
            value=dict(_percent(x, y, size), width=MARK, keypointlabels=[names[k]]),
        )


def _percent(x: float, y: float, size: tuple[int, int]) -> dict:
    # Percentages count from the border of the image, pixels from the center of the first one.
    return dict(x=round((x + 0.5) / size[0] * 100, 5), y=round((y + 0.5) / size[1] * 100, 5))


def from_label_studio(tasks: Iterable[Mapping], names: Sequence[str]) -> dict:
    """Return an export of Label Studio (JSON) as COCO keypoint annotations, to train and test with.

    The first annotation of a task counts, or else its first prediction; tasks that were skipped are
    left out. Keypoints that a person lacks are unlabeled; keypoints without a person are an error.
    A rotated rectangle becomes the upright box around it. The size of an image stands with its
    people: where nobody is, it is left out.

    Args:
        tasks: the export.
        names: of the keypoints, in their order.

    Raises:
        InputError: a task names no image, two name one, or one is not as Label Studio exports it;
            a keypoint belongs to nobody, is labeled twice, or has a name that is not among `names`;
            an image was rotated.
    """
    images, annotations = [], []
    for i, task in enumerate(tasks, start=1):
        try:
            image, people = _read_task(task, i, names)
        except InputError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f'entry {i - 1} is not as Label Studio exports it: {error!r}'
            ) from error
        images += image
        for person in people:
            annotations.append(dict(person, id=len(annotations) + 1, image_id=i))
    _require_names_of_their_own((image['file_name'] for image in images), 'Label Studio')
    return dict(
        images=images,
        annotations=annotations,
        categories=[dict(id=1, name='person', keypoints=list(names), skeleton=[])],
    )


def _read_task(task: Mapping, number: int, names: Sequence[str]) -> tuple[list[dict], list[dict]]:
    """Return the record of a task's image, and its people; nothing of a task that was skipped."""
    made = task.get('annotations') or task.get('predictions') or [dict(result=[])]
    done = next((each for each in made if not each.get('was_cancelled')), None)
    if done is None:
        return [], []
    regions = [each for each in done['result'] if each.get('type') in REGIONS]
    name, size = _image_of(task, number), _size_of(regions)
    if any(each.get('image_rotation') for each in regions):
        raise InputError(
            f'{name} was rotated in Label Studio, and its people are labeled in the rotated image: '
            'rotate the file itself and label it anew'
        )
    image = dict(id=number, file_name=name, **dict(zip(('width', 'height'), size)))
    people = _people_of(regions, name, names)
    return [image], [_coco_of(box, points, names, size) for box, points in people]


def _image_of(task: Mapping, number: int) -> str:
    try:
        address = str(task['data']['image'])
    except (KeyError, TypeError) as error:
        raise InputError(f'entry {number - 1} must name its image as data.image') from error
    before, _, query = address.partition('?')  # of local storage, `d` is the path
    path = unquote(query.removeprefix('d=') if query.startswith('d=') else before)
    # Label Studio puts eight digits before the names of files that are uploaded to it.
    name = PurePath(path).name
    return re.sub(UPLOADED, '', name) if '/upload/' in path else name


def _size_of(regions: Sequence[Mapping]) -> tuple[int, ...]:
    # Of the image, (w, h); empty without people, since only their regions tell it.
    return next(((each['original_width'], each['original_height']) for each in regions), ())


def _people_of(
    regions: Sequence[Mapping], image: str, names: Sequence[str]
) -> list[tuple[Mapping, dict]]:
    people: dict[str, tuple[Mapping, dict]] = {
        each['id']: (each['value'], {}) for each in regions if each['type'] == 'rectanglelabels'
    }
    for each in regions:
        if each['type'] != 'keypointlabels':
            continue
        label = each['value']['keypointlabels'][0]
        if each.get('parentID') not in people or label not in names:
            raise InputError(
                f'{image}: a keypoint must be part of a person and be one of '
                f'{", ".join(names)}; found {label} of {each.get("parentID")}'
            )
        points = people[each['parentID']][1]
        if label in points:
            raise InputError(f'{image}: {label} of {each["parentID"]} is labeled twice: leave one')
        points[label] = each['value']
    return list(people.values())


def _coco_of(
    box: Mapping, points: Mapping[str, Mapping], names: Sequence[str], size: tuple[int, int]
) -> dict:
    w, h = size
    flat: list[float] = []
    for name in names:
        if name in points:
            x, y = points[name]['x'] / 100 * w - 0.5, points[name]['y'] / 100 * h - 0.5
            flat += [round(x, 2), round(y, 2), 2]
        else:
            flat += [0, 0, 0]
    sides = box['width'] / 100 * w, box['height'] / 100 * h
    corner = box['x'] / 100 * w - 0.5, box['y'] / 100 * h - 0.5
    bbox = _upright(corner, sides, box.get('rotation') or 0)
    return dict(
        category_id=1,
        keypoints=flat,
        num_keypoints=len(points),
        bbox=[round(value, 2) for value in bbox],
        area=round(sides[0] * sides[1], 2),
        iscrowd=0,
    )


def _upright(
    corner: tuple[float, float], sides: tuple[float, float], degrees: float
) -> tuple[float, ...]:
    # x, y, width, height of the box around a rectangle, rotated clockwise around its corner.
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    (x, y), (w, h) = corner, sides
    xs = [x + i * w * cos - j * h * sin for i in (0, 1) for j in (0, 1)]
    ys = [y + i * w * sin + j * h * cos for i in (0, 1) for j in (0, 1)]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
