"""The annotation files of a run, checked before a model is built.

A file that needs mending is mended once: datasets and evaluators, MMPose's own too, read the copy
in the work folder, which the first process of each machine writes.
"""

import hashlib
import os.path as osp
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmpose.datasets.datasets import (
    BaseCocoStyleDataset,
    CocoDataset,
    CrowdPoseDataset,
    OCHumanDataset,
)
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from ..configs import mappings
from ..datasets.check import AnnotationError, Checked, Expected, check_file
from ..datasets.check.listing import is_outside
from ..datasets.check.reading import read_json
from ..datasets.datasets import LabeledCocoDataset
from ..datasets.labeling import keypoint_names
from ..datasets.limits import note_on_crowded
from ..datasets.wrapped import (
    bare_name,
    datasets_in,
    existing_path,
    metrics_in,
    steps_named,
)
from ..errors import InputError, RunError
from .first_process import is_first, say

# Classes of the configs, which read COCO's records of people as they are.
OF_PEOPLE = (CocoDataset, CrowdPoseDataset, OCHumanDataset)
SAMPLE = 2000  # images of a file whose sizes are compared before a run


def check_annotations(
    cfg: Config, *loaders: str, category: str | None = None, allow_outside: bool = False
) -> None:
    """Check the annotation files of these loaders and their evaluators.

    Args:
        cfg: changed in place where a file was mended: it then names the mended copy.
        category: name or id of the person category, where several have keypoints.
        allow_outside: whether file names may leave the image folder.
        *loaders: names of settings such as `val_dataloader`.

    Raises:
        RunError: a file does not exist, or an evaluator's file lacks images of its loader.
        InputError: a file cannot be used; all reasons.
    """
    for loader in loaders:
        evaluators = _evaluators(cfg, loader)
        settings = (cfg.get(loader) or {}).get('dataset')
        datasets = list(datasets_in(settings))
        for step in steps_named(settings, 'LoadImage') if allow_outside else ():
            step.update(type='mmpose.LoadImage', allow_outside=True)  # never MMPose's own class
        checked = {}
        for dataset, steps in datasets:
            path = existing_path(dataset, loader)
            if path is None:
                continue
            expected = _expected(path, dataset, steps, evaluators)
            if expected is not None:
                expected = replace(expected, category=category, allow_outside=allow_outside)
                evaluated = any(_is(each['ann_file'], path) for each in evaluators)
                checked[osp.realpath(path)] = _check(path, expected, evaluated)
        _check_evaluators(evaluators, checked, loader)
        for path, each in checked.items():
            _use(each, path, [dataset for dataset, _ in datasets], evaluators, cfg.work_dir)
        for each in _result_files(cfg, loader) if len(checked) == 1 else ():
            (only,) = checked.values()
            if only.category_id is not None:  # of several categories the metric's own stays
                each['category_id'] = only.category_id


def point_at(cfg: Config, ann: str | None, img: str | None) -> None:
    """Point a config, in place, at other data to evaluate on.

    `keypoints` takes the place of `keypoints_crowd` where no image has a crowd index.

    Args:
        cfg: its one dataset of `test_dataloader` and the metrics beside it are changed.
        ann: the annotation file.
        img: folder of the images.

    Raises:
        InputError: one of the two is missing, or the folder is, or some of its images.
        RunError: the config evaluates on no or several annotation files.
    """
    if not ann or not img:
        raise InputError(f'--ann FILE and --img DIR go together; found --ann {ann}, --img {img}')
    if not osp.isdir(img):
        raise InputError(f'--img {img} is not a folder')
    datasets = [each for each, _ in datasets_in((cfg.get('test_dataloader') or {}).get('dataset'))]
    if len(datasets) != 1:
        raise RunError(f'--ann needs a config that evaluates on one file; found {len(datasets)}')
    path = osp.abspath(ann)
    images = _require_images(path, img)
    datasets[0].update(data_root='', ann_file=path, data_prefix=dict(img=osp.abspath(img)))
    plain = bool(images) and not any('crowdIndex' in image for image in images)
    for each in _evaluators(cfg, 'test_dataloader'):
        each['ann_file'] = path
        if plain and each.get('iou_type') == 'keypoints_crowd':
            # Areas count as in COCO; the check gives those who have none 0.53 of their box.
            each.update(iou_type='keypoints', use_area=True)
            say(f'{ann} has no crowdIndex: evaluated by "keypoints", without AP(E), AP(M), AP(H)')


def _require_images(ann: str, folder: str) -> list[dict]:
    """Return the images of a file, which must be there; `check_annotations` does the rest."""
    data = read_json(ann) if osp.isfile(ann) else None
    images = data.get('images') if isinstance(data, dict) else None
    images = images if isinstance(images, list) else []
    records = [each for each in images if isinstance(each, dict)]
    names = [each['file_name'] for each in records if isinstance(each.get('file_name'), str)]
    # The check refuses names that lead elsewhere, where nothing is looked for.
    inside = [name for name in names if not is_outside(name.replace('\\', '/'))]
    missing = [name for name in inside if not osp.isfile(osp.join(folder, name))]
    if missing:
        raise InputError(
            f'--img {folder} lacks {len(missing)} of the {len(names)} images of --ann, such as '
            f'{missing[0]}'
        )
    return records


def _metrics(cfg: Config, loader: str) -> list[dict]:
    return list(metrics_in(cfg.get(loader.replace('dataloader', 'evaluator'))))


def _evaluators(cfg: Config, loader: str) -> list[dict]:
    return [each for each in _metrics(cfg, loader) if each.get('ann_file')]


def _result_files(cfg: Config, loader: str) -> list[dict]:
    return [each for each in _metrics(cfg, loader) if bare_name(each) == 'CocoResults']


def _check(path: str, expected: Expected, evaluated: bool) -> Checked:
    checked = check_file(path, expected).require()
    crowded = note_on_crowded(checked.data['annotations']) if evaluated else None
    say(*checked.notes(), *filter(None, [crowded]))
    return checked


def _expected(
    path: str, dataset: dict, steps: list[dict], evaluators: list[dict]
) -> Expected | None:
    """Return what a dataset needs of its file; None, and a line, if it reads other files."""
    kind = _class_of(dataset)
    if kind is None or not issubclass(kind, BaseCocoStyleDataset):
        _say_unchecked(path, dataset)
        return None
    evaluated = [each for each in evaluators if _is(each['ann_file'], path)]
    expected = Expected(
        image_folder=_image_folder(dataset),
        sample=SAMPLE,
        upright=not _ignore_orientation(steps),
        crowd_index=any(each.get('iou_type') == 'keypoints_crowd' for each in evaluated),
        # Without an evaluator that needs it, areas are wanted only where others have one.
        need_area=any(each.get('use_area', True) for each in evaluated) or None,
    )
    if issubclass(kind, LabeledCocoDataset):
        # This class compares each category's names with the metainfo itself, and takes several.
        return replace(expected, persons=False)
    if _reads_people(kind):
        return replace(expected, names=_names(dataset))
    try:
        check_file(path, Expected(persons=False, allow_outside=True))
    except AnnotationError:
        _say_unchecked(path, dataset)
        return None
    name = kind.__name__
    say(f'{path}: images and ids are checked; the fields of its people are left to {name}')
    return replace(expected, persons=False)


def _say_unchecked(path: str, dataset: dict) -> None:
    name = getattr(_class_of(dataset), '__name__', dataset['type'])
    say(f'{path}: not checked, since {name} reads files of another format than COCO')


def _ignore_orientation(steps: list[dict]) -> bool:
    """Return whether steps load images as they are stored, whatever their EXIF tag says."""
    return any('ignore_orientation' in str(step.get('color_type')) for step in mappings(steps))


def _image_folder(dataset: dict) -> str | None:
    """Return the folder of a dataset's images; None if it is not on this machine's disks."""
    prefix = (dataset.get('data_prefix') or {}).get('img', '')
    folder = osp.join(dataset.get('data_root') or '', prefix)
    return folder if osp.isdir(folder) else None


def _class_of(dataset: dict) -> Any:
    kind = dataset['type']
    return kind if isinstance(kind, type) else DATASETS.get(kind)


def _reads_people(kind: Any) -> bool:
    """Return whether a class reads COCO's records of people as they are."""
    own = kind in (LabeledCocoDataset, *OF_PEOPLE)
    plain = (
        kind.parse_data_info is BaseCocoStyleDataset.parse_data_info
        and kind._load_annotations is BaseCocoStyleDataset._load_annotations
    )
    return own or plain


def _names(dataset: dict) -> list[str]:
    metainfo = dataset.get('metainfo') or _class_of(dataset).METAINFO
    return keypoint_names(parse_pose_metainfo(dict(metainfo)))


def _is(path: str, other: str) -> bool:
    return osp.realpath(path) == osp.realpath(other)


def _use(
    checked: Checked, path: str, datasets: list[dict], evaluators: list[dict], work_dir: str
) -> None:
    """Point the settings at the mended copy, if there is one; results keep the category id."""
    if not checked.is_mended:
        return
    digest = hashlib.sha256(path.encode()).hexdigest()[:8]
    name = f'{Path(path).name.split(".")[0]}-{digest}.json'
    target = osp.abspath(osp.join(work_dir, 'annotations', name))
    if is_first():
        # The others read it after they have met this process, when the runner is built.
        checked.write(target)
    for each in datasets:
        if _is(osp.join(each.get('data_root') or '', each['ann_file']), path):
            each['ann_file'] = target
    for each in evaluators:
        if _is(each['ann_file'], path):
            each['ann_file'] = target


def _images_of(path: str) -> list[dict]:
    return check_file(path, Expected(persons=False, allow_outside=True)).require().data['images']


def _check_evaluators(evaluators: list[dict], checked: dict[str, Checked], loader: str) -> None:
    """Raise if an evaluator reads a file of its own that lacks images of its loader."""
    images = {image['id'] for each in checked.values() for image in each.data['images']}
    for each in evaluators:
        path = each['ann_file']
        if any(_is(path, other) for other in checked) or not checked:
            continue
        if not osp.isfile(path):
            raise RunError(f'the annotation file {path} of an evaluator does not exist')
        known = {image['id'] for image in _images_of(path)}
        if images - known:
            raise RunError(
                f'{len(images - known)} images of {loader} are not in {path}, which its evaluator '
                f'reads, such as image_id {min(images - known)}: give both the same ann_file'
            )
