"""The two models of a comparison: their names, how they are loaded, which poses count."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.structures import InstanceData
from mmpose.models.pose_estimators import BottomupPoseEstimator
from mmpose.structures import PoseDataSample

from ..api import load
from ..datasets.labeling import keypoint_names
from ..errors import InputError
from ..inference.people import AUTO, kind_of, lowest_score, person_scores
from ..onnx_runner import MEAN, POSE_THRS


class Spec(NamedTuple):
    """Arguments of `api.load` for a model."""

    config: str
    checkpoint: str | None = None
    cfg_options: dict | None = None


class Side(NamedTuple):
    """One of the two models; poses of a score below `pose_thr` do not count."""

    name: str
    model: BottomupPoseEstimator
    spec: Spec
    pose_thr: float = POSE_THRS[MEAN]


def names_of(specs: Sequence[Spec]) -> list[str]:
    """Return names of models: their configs' and, where these are the same, what differs."""
    names = [Path(spec.config).stem for spec in specs]
    for more in (_checkpoint_names(specs), map(_option_names, specs)):
        if len(set(names)) == 1:
            names = [f'{name} {text}'.strip() for name, text in zip(names, more)]
    if len(set(names)) == 1:
        names = [f'{name} ({i})' for i, name in enumerate(names, 1)]
    return names


def _checkpoint_names(specs: Sequence[Spec]) -> list[str]:
    # Nothing for equal ones; else their stems or, if these are equal, whole paths.
    paths = [Path(spec.checkpoint or 'shipped') for spec in specs]
    if len(set(paths)) == 1:
        return [''] * len(paths)
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) > 1 else list(map(str, paths))


def _option_names(spec: Spec) -> str:
    options = (spec.cfg_options or {}).items()
    return ' '.join(f'{key.split(".")[-1]}={value}' for key, value in options)


def load_sides(
    specs: Sequence[Spec],
    names: Sequence[str] | None = None,
    pose_thrs: Sequence[float | str] = (AUTO, AUTO),
    device: str | None = None,
) -> list[Side]:
    """Load the two models that are compared.

    Args:
        specs: of the two.
        names: different ones; by default see `names_of`.
        pose_thrs: of each model, see `lowest_score`.
        device: by default the first GPU, or the CPU.

    Raises:
        ValueError: the names are the same, or the models' keypoints differ.
    """
    names = list(names or names_of(specs))
    if len(set(names)) < len(names):
        raise InputError(f'the names of the two models must differ; both are {names[0]}')
    models = [load(spec.config, spec.checkpoint, device, spec.cfg_options) for spec in specs]
    known = [keypoint_names(model.dataset_meta) for model in models]
    if known[0] != known[1]:
        said = (f'{name} has {len(each)} ({", ".join(each)})' for name, each in zip(names, known))
        raise InputError(f'the models must have the same keypoints; {", ".join(said)}')
    lowest = [lowest_score(each, kind_of(model)) for each, model in zip(pose_thrs, models)]
    return [Side(*each) for each in zip(names, models, specs, lowest)]


def counted_poses(sample: PoseDataSample, pose_thr: float) -> InstanceData:
    """Return the poses whose score counts, the best first.

    Args:
        sample: what `predict` yields.
        pose_thr: the lowest score that counts, see `person_scores`.
    """
    people = sample.pred_instances
    scores = person_scores(people)
    order = [i for i in np.argsort(-scores, kind='stable') if scores[i] >= pose_thr]
    return InstanceData(
        keypoints=people.keypoints[order].astype(np.float64),
        keypoints_visible=people.keypoint_scores[order],
        bbox_scores=scores[order],
    )
