"""Two models on the same pictures, side by side: what each finds and whom it misses.

Against annotations a person is found by the pose that COCO's keypoint evaluation would match with
it at OKS 0.5 (`judging`). Without annotations the models judge each other.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.structures import InstanceData
from mmpose.models.pose_estimators import BottomupPoseEstimator
from mmpose.structures import PoseDataSample
from tqdm import tqdm

from ..api import find_pictures, load, predict
from ..errors import InputError
from ..inference.drawing import contact_sheet
from ..inference.overlays import overlay_names
from .annotations import Annotations
from .drawing import draw
from .judging import OKS_THR, Comparison, choose, judge_by_annotations, judge_each_other

__all__ = [
    'Annotations',
    'Report',
    'Side',
    'Spec',
    'compare',
    'draw',
    'load_sides',
    'names_of',
    'summary',
]

SCHEMA = 'pinet_mm.comparison/1'
ON_SHEET = 12  # pictures on overview.jpg


class Spec(NamedTuple):
    """What `api.load` takes to load a model."""

    config: str
    checkpoint: str | None = None
    cfg_options: dict | None = None


class Side(NamedTuple):
    """One of the two models; poses of a score below `pose_thr` do not count."""

    name: str
    model: BottomupPoseEstimator
    spec: Spec
    pose_thr: float = 0.1


class Report(NamedTuple):
    """What `compare` did: its JSON, as a file and as a dictionary."""

    json: Path
    document: dict


def names_of(specs: Sequence[Spec]) -> list[str]:
    """Name models after their configs and, where these are the same, after what differs."""
    names = [Path(spec.config).stem for spec in specs]
    if len(set(names)) == 1:
        checkpoints = [Path(spec.checkpoint or 'shipped') for spec in specs]
        if len(set(checkpoints)) > 1:
            short = [path.stem for path in checkpoints]
            if len(set(short)) == 1:
                short = list(map(str, checkpoints))
            names = [f'{name} {text}' for name, text in zip(names, short)]
        options = [
            ' '.join(
                f'{key.split(".")[-1]}={value}' for key, value in (spec.cfg_options or {}).items()
            )
            for spec in specs
        ]
        names = [f'{name} {text}'.strip() for name, text in zip(names, options)]
    if len(set(names)) == 1:
        names = [f'{name} ({i})' for i, name in enumerate(names, 1)]
    return names


def load_sides(
    specs: Sequence[Spec],
    names: Sequence[str] | None = None,
    pose_thrs: Sequence[float] = (0.1, 0.1),
    device: str | None = None,
) -> list[Side]:
    """Load the two models that are compared.

    Args:
        specs: of the two.
        names: different ones; by default see `names_of`.
        pose_thrs: of each model.
        device: by default the first GPU, or the CPU.

    Raises:
        ValueError: the names are the same, or the models' keypoints differ.
    """
    names = list(names or names_of(specs))
    if len(set(names)) < len(names):
        raise InputError(f'the names of the two models must differ; both are {names[0]}')
    models = [load(spec.config, spec.checkpoint, device, spec.cfg_options) for spec in specs]
    known = [_keypoint_names(model) for model in models]
    if known[0] != known[1]:
        said = (f'{name} has {len(each)} ({", ".join(each)})' for name, each in zip(names, known))
        raise InputError(f'the models must have the same keypoints; {", ".join(said)}')
    return [Side(*each) for each in zip(names, models, specs, pose_thrs)]


def _keypoint_names(model: BottomupPoseEstimator) -> list[str]:
    names = model.dataset_meta['keypoint_id2name']
    return [names[i] for i in range(len(names))]


def compare(
    sides: Sequence[Side],
    inputs: Iterable[str | Path],
    out_dir: str | Path,
    annotations: str | Path | None = None,
    hardest: int | None = None,
    most_different: int | None = None,
) -> Report:
    """Write a drawing for every picture, `overview.jpg` and `comparison.json`.

    Pictures in `out_dir` are no input.

    Args:
        sides: what `load_sides` returns.
        inputs: pictures and folders.
        out_dir: made if it is missing.
        annotations: a COCO-format JSON file; pictures that it lacks are left out, by name.
        hardest: draw only so many pictures, see `judging.hardest_first`; all are counted.
        most_different: the same by `judging.most_different_first`; with both, so many of the
            hardest ones.

    Returns:
        A `Report`; the JSON holds each picture's counts and their sums.

    Raises:
        FileNotFoundError: an input or the annotation file is missing, or all pictures lie in
            `out_dir`.
        ValueError: no picture is annotated or can be read, one is not of its annotated size, or
            `hardest` or `most_different` is below 1 or has no annotations to go by.
    """
    _check_numbers(hardest, most_different, annotations)
    out_dir, meta = Path(out_dir), sides[0].model.dataset_meta
    files, unreadable = _readable(find_pictures(inputs, out_dir))
    truth = annotations and Annotations(annotations, len(meta['sigmas']))
    left_out = [file for file in files if truth and truth.find(file) is None]
    files = [file for file in files if file not in left_out]
    if not files:
        raise InputError(
            f'{annotations} has none of the {len(left_out)} pictures, such as {left_out[0].name}'
        )
    compared = _compare_all(sides, files, truth)
    order = choose(compared, hardest, most_different)
    drawings = dict(zip(order, overlay_names([files[i] for i in order])))
    out_dir.mkdir(parents=True, exist_ok=True)
    sheet = []
    for i, name in drawings.items():
        drawn = draw(cv2.imread(str(files[i])), compared[i], [side.name for side in sides], meta)
        cv2.imwrite(str(out_dir / name), drawn)
        sheet = (sheet + [np.pad(drawn, ((0, 12), (0, 12), (0, 0)))])[:ON_SHEET]
    cv2.imwrite(str(out_dir / 'overview.jpg'), contact_sheet(sheet, columns=2, cell=960))
    records = [
        _to_record(sides, file, compared[i], drawings.get(i)) for i, file in enumerate(files)
    ]
    document = dict(
        schema=SCHEMA,
        annotations=annotations and str(annotations),
        oks_thr=OKS_THR,
        models=[
            dict(name=side.name, pose_thr=side.pose_thr, **side.spec._asdict()) for side in sides
        ],
        totals=_totals(sides, records),
        pictures=records,
        left_out=list(map(str, left_out)),
        unreadable=list(map(str, unreadable)),
    )
    target = out_dir / 'comparison.json'
    target.write_text(json.dumps(document, indent=1))
    return Report(target, document)


def _check_numbers(
    hardest: int | None, most_different: int | None, annotations: str | Path | None
) -> None:
    given = [number for number in (hardest, most_different) if number is not None]
    if given and (annotations is None or min(given) < 1):
        raise InputError(
            'the number of drawings must be at least 1 and needs annotations to find '
            f'the pictures by; found {min(given)} and '
            f'{annotations or "no annotations"}'
        )


def _readable(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Part the files into pictures and others; only their headers are read."""
    readable = {file: cv2.haveImageReader(str(file)) for file in files}
    if not any(readable.values()):
        raise InputError(f'{files[0]} is no picture that can be read')
    return (
        [file for file in files if readable[file]],
        [file for file in files if not readable[file]],
    )


def _compare_all(
    sides: Sequence[Side], files: Sequence[Path], truth: Annotations | None
) -> list[Comparison]:
    sigmas = np.asarray(sides[0].model.dataset_meta['sigmas'], dtype=np.float64)
    progress, found = tqdm(total=len(sides) * len(files), unit=' pictures'), []
    for side in sides:
        samples = predict(side.model, files)
        found.append([])
        for file, sample in zip(files, samples):
            if truth:
                truth.require_size(file, sample.metainfo['ori_shape'])
            found[-1].append(counted_poses(sample, side.pose_thr))
            progress.update()
    if truth is None:
        return [judge_each_other(poses, sigmas) for poses in zip(*found)]
    return [
        judge_by_annotations(poses, truth.persons(truth.find(file)), sigmas)
        for file, *poses in zip(files, *found)
    ]


def counted_poses(sample: PoseDataSample, pose_thr: float) -> InstanceData:
    """Take the poses of a score that counts, the best first.

    Models that score no persons, such as MMPose's CID, are scored as its evaluation does it: by
    the mean keypoint score.
    """
    people = sample.pred_instances
    scores = np.asarray(people.get('bbox_scores', people.keypoint_scores.mean(axis=-1)))
    order = [i for i in np.argsort(-scores, kind='stable') if scores[i] >= pose_thr]
    return InstanceData(
        keypoints=people.keypoints[order].astype(np.float64),
        keypoints_visible=people.keypoint_scores[order],
        bbox_scores=scores[order],
    )


def _to_record(
    sides: Sequence[Side], file: Path, comparison: Comparison, drawing: str | None
) -> dict:
    persons = comparison.persons
    record = dict(
        file=str(file),
        drawing=drawing,
        persons=None if persons is None else len(persons.boxes),
        crowd_index=None if persons is None else persons.crowd_index,
    )
    for name, view in zip((side.name for side in sides), comparison.views):
        missed = len(view.missed)
        record.setdefault('models', {})[name] = dict(
            poses=len(view.poses),
            missed=missed,
            found=None if persons is None else len(persons.boxes) - missed,
        )
    return record


def _totals(sides: Sequence[Side], records: Sequence[dict]) -> dict:
    def total(values: Iterable[int | None]) -> int | None:
        values = list(values)
        return None if None in values else sum(values)

    models = {
        side.name: {
            key: total(record['models'][side.name][key] for record in records)
            for key in ('poses', 'missed', 'found')
        }
        for side in sides
    }
    return dict(
        pictures=len(records), persons=total(record['persons'] for record in records), models=models
    )


def summary(document: dict) -> str:
    """Say in a line what a comparison found."""
    totals = document['totals']
    if totals['persons'] is None:
        parts = [
            f"{name} has {each['poses']} poses and misses {each['missed']} of the other's"
            for name, each in totals['models'].items()
        ]
        said = f'{totals["pictures"]} pictures: {"; ".join(parts)}'
    else:
        parts = [
            f'{name} found {each["found"]} with {each["poses"]} poses'
            for name, each in totals['models'].items()
        ]
        said = f'{totals["pictures"]} pictures, {totals["persons"]} persons: {"; ".join(parts)}'
    left_out = len(document['left_out'])
    return f'{said}; {left_out} pictures without annotations left out' if left_out else said
