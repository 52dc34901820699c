"""Evaluate one trained model in several ways."""

import copy
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pinet_mm import api
from pinet_mm.crowdsynth import CrowdSettings, write_dataset
from pinet_mm.datasets.pose_files import to_entries
from pinet_mm.errors import InputError
from pinet_mm.inference.people import MEAN, kind_of, person_scores
from pinet_mm.method.layouts import PartLayout
from pinet_mm.models.codec import build_layout

import cv2
import numpy as np
from mmengine.config import Config
from xtcocotools.coco import COCO

from .by_stage import STAGES, reached_oks, shares
from .metrics import Persons, measure, read_persons
from .training import UNCERTAIN, Budget
from .variants import PINET, SCORED, SWITCHES, THRESHOLDS, Variant

TIMED = 60  # images, one at a time, to measure images/s


class TestSet(NamedTuple):
    """Held-out images and the people in them.

    Attributes:
        annotations: in COCO's format.
        images: image id -> (H, W, 3) BGR.
        persons: the annotated ones.
        layout: of the dataset; its parts define who is near whom.
    """

    annotations: COCO
    images: dict[int, np.ndarray]
    persons: Persons
    layout: PartLayout

    __test__ = False  # the name must not make pytest collect it


def test_set(folder: Path, budget: Budget) -> TestSet:
    """Draw the held-out images if they are not there yet, in the settings of the training's.

    Args:
        folder: where they belong.
        budget: how many, of which crowd.

    Raises:
        ValueError: the folder holds another number of them, or others.
    """
    cfg = Config.fromfile(api.config_path(PINET))
    path, count = folder / 'annotations' / 'test.json', budget.images
    settings = CrowdSettings(**{**cfg.train_dataloader.dataset.settings, **budget.crowd})
    if not path.is_file():
        write_dataset(folder, settings, count, seed=1, split='test', suffix='.png')
    annotations = COCO(str(path))
    if len(annotations.imgs) != count:
        raise InputError(
            f'{path} has {len(annotations.imgs)} images; expected {count}: give '
            'this number, or another folder'
        )
    found = vars(CrowdSettings(**annotations.dataset['info']['settings']))
    for name, wanted in vars(settings).items():
        if found[name] != wanted:
            raise InputError(
                f'{path} was drawn with {name}={found[name]}; expected {wanted}: '
                'take another folder'
            )
    layout = build_layout(cfg.codec.layout)
    images = {
        image['id']: cv2.imread(str(folder / 'images' / 'test' / image['file_name']))
        for image in annotations.dataset['images']
    }
    return TestSet(annotations, images, read_persons(annotations, layout), layout)


def switches_of(variant: Variant, seed: int) -> dict[str, dict]:
    """List the switches that a trained variant is evaluated with.

    Args:
        variant: which.
        seed: of the variant; thresholds are studied with the first alone.
    """
    if variant.tested:
        return {name: SWITCHES[name] for name in variant.tested}
    if not variant.is_pinet:
        return {name: SWITCHES[name] for name in ('fusion', 'no-flip')}
    if not variant.refines:
        return {name: SWITCHES[name] for name in ('fusion', 'nms', 'no-flip')}
    return {**SWITCHES, **(THRESHOLDS if seed == 0 and not variant.options else {})}


def test_variant(
    variant: Variant, checkpoint: Path, seed: int, data: TestSet, known: Collection[str] = ()
) -> dict[str, dict]:
    """Evaluate a trained variant with all its switches but those that are known.

    Returns:
        Name of the switch -> `metrics` (see `metrics.measure`), `images_per_second`, `poses`, how
        many per image, and the network's `parameters`.
    """
    model = _load(variant, checkpoint)
    return {
        name: _test(model, changes, data)
        for name, changes in switches_of(variant, seed).items()
        if name not in known
    }


def test_scored(variant: Variant, checkpoint: Path, data: TestSet) -> dict[str, dict]:
    """Evaluate what `train_score` has trained as `SCORED` says; see `test_variant`."""
    model = _load(replace(variant, options={**variant.options, **UNCERTAIN}), checkpoint)
    return {name: _test(model, changes, data) for name, changes in SCORED.items()}


def test_by_stage(variant: Variant, checkpoint: Path, data: TestSet) -> dict[str, dict]:
    """Return who has a pose at each stage of inference: stage -> `by_stage.shares`."""
    model, found = _load(variant, checkpoint), {}
    for stage, changes in STAGES.items():
        with _tested_with(model, changes):
            entries = find_poses(model, data.images)
        reached = reached_oks(data.annotations, entries, data.persons, data.layout.sigmas)
        found[stage] = shares(reached, data.persons)
    return found


def _load(variant: Variant, checkpoint: Path):
    options = copy.deepcopy(dict(variant.options))  # merging pops `_delete_`
    return api.load(variant.config, checkpoint, device='cpu', cfg_options=options)


def _test(model, changes: dict, data: TestSet) -> dict:
    with _tested_with(model, changes):
        speed = _images_per_second(model, list(data.images.values())[:TIMED])
        entries = find_poses(model, data.images)
    return dict(
        metrics=measure(data.annotations, entries, data.persons, data.layout.sigmas),
        images_per_second=speed,
        poses=len(entries) / len(data.images),
        parameters=sum(each.numel() for each in model.parameters()),
    )


@contextmanager
def _tested_with(model, changes: dict) -> Iterator[None]:
    settings = model.test_cfg
    model.test_cfg = {**settings, **changes}
    try:
        yield
    finally:
        model.test_cfg = settings


def _images_per_second(model, images: Sequence[np.ndarray]) -> float:
    # Seconds of this process, one image at a time: other jobs on the machine matter less.
    for _ in api.predict(model, images[:3], batch_size=1):
        pass
    start = time.process_time()
    for _ in api.predict(model, images, batch_size=1):
        pass
    return len(images) / (time.process_time() - start)


def find_poses(model, images: dict[int, np.ndarray]) -> list[dict]:
    """Find the poses of all images, in COCO's result format, ranked as the model's scores say.

    Args:
        model: what `api.load` gives.
        images: image id -> (H, W, 3) BGR.
    """
    expects_oks = kind_of(model) != MEAN
    entries = []
    for image, sample in zip(images, api.predict(model, images.values())):
        people = sample.pred_instances
        scores = person_scores(people) if expects_oks else None
        entries += to_entries(image, people.keypoints, people.keypoint_scores, scores=scores)
    return entries
