"""The stand-in for xtcocotools beside xtcocotools itself, on files like those of three datasets."""

import contextlib
import copy
import io
import json
from typing import NamedTuple

from pinet_mm.environment.stand_ins.xtcocotools import coco, cocoeval, mask

import numpy as np
import pytest
from xtcocotools import cocoeval as theirs
from xtcocotools.coco import COCO

pytestmark = pytest.mark.skipif(
    theirs.__file__ == cocoeval.__file__, reason='xtcocotools is not installed'
)
faster = pytest.mark.skipif(cocoeval.faster is None, reason='faster-coco-eval is not installed')


class Style(NamedTuple):
    """How a dataset's files differ: keypoints, protocol, areas, and the id of the first person."""

    num_keypoints: int
    iou_type: str
    annotated_areas: bool
    use_area: bool
    first_id: int = 1


STYLES = {
    'COCO': Style(17, 'keypoints', True, True, 900),
    'COCO, boxes': Style(17, 'keypoints', True, False),
    'CrowdPose': Style(14, 'keypoints_crowd', False, False, 0),
    'CrowdPose, drawn': Style(14, 'keypoints_crowd', True, True),
    'OCHuman': Style(17, 'keypoints', True, True, 0),
    'CrowdSynth of 19': Style(19, 'keypoints', False, False),
}
every_style = pytest.mark.parametrize('style', STYLES.values(), ids=STYLES)


def make_image(random, number):
    indices = [0.05, 0.1, 0.2, 0.5, 0.8, 0.95]
    return dict(id=3 * number, width=640, height=480, crowdIndex=indices[number % 6])


def make_person(random, style, image, number):
    x, y, w, h = random.uniform((0, 0, 10, 10), (300, 200, 300, 250)).round(1)
    points = random.uniform((x, y, 0), (x + w, y + h, 3), (style.num_keypoints, 3)).round(1)
    points[:, 2] = np.floor(points[:, 2])
    if random.random() < 0.3:  # unlabeled, or labeled and hidden, which num_keypoints leaves out
        points[:, 2] = random.integers(2)
    person = dict(
        id=style.first_id + number,
        image_id=image['id'],
        category_id=1,
        bbox=[x, y, w, h],
        keypoints=points.ravel().tolist(),
        num_keypoints=int((points[:, 2] == 2).sum()),  # CrowdPose counts those in sight
        iscrowd=int(random.random() < 0.07),
    )
    if style.annotated_areas:
        person['area'] = 0.0 if random.random() < 0.1 else float(0.6 * w * h)
    return person


def make_poses(random, person):
    """Up to two poses near a person; some without any score, many with equal ones."""
    for _ in range(random.integers(3)):
        points = np.reshape(person['keypoints'], (-1, 3)).copy()
        points[:, :2] += random.normal(0, random.uniform(0, 10), points[:, :2].shape)
        points[:, 2] = 0 if random.random() < 0.05 else random.random(len(points))
        yield dict(
            image_id=person['image_id'],
            category_id=1,
            keypoints=points.ravel().tolist(),
            score=float(random.choice([random.random(), 0.5])),
        )


@pytest.fixture
def files(tmp_path):
    """Return a function that writes annotations and makes poses, up to 30 people an image."""

    def write(style, images=12):
        random = np.random.default_rng(7)
        images = [make_image(random, i) for i in range(1, images + 1)]
        people = []
        for image in images:
            for _ in range(random.integers(31)):
                people.append(make_person(random, style, image, len(people)))
        poses = [pose for person in people for pose in make_poses(random, person)]
        path = tmp_path / 'annotations.json'
        categories = [dict(id=1, name='person')]
        path.write_text(json.dumps(dict(images=images, annotations=people, categories=categories)))
        return str(path), poses

    return write


def evaluate(kinds, path, poses, style, summarize=True):
    """Evaluate as MMPose's CocoMetric does."""
    annotations, evaluation = kinds
    sigmas = np.linspace(0.03, 0.11, style.num_keypoints)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = annotations(path)
        found = truth.loadRes(copy.deepcopy(poses))
        done = evaluation(truth, found, style.iou_type, sigmas, style.use_area)
        done.params.useSegm = None
        done.evaluate()
        done.accumulate()
        if summarize:
            done.summarize()
    return done


THEIRS = COCO, theirs.COCOeval
OURS = coco.COCO, cocoeval.COCOeval


@faster
@every_style
def test_all_numbers_agree(files, style):
    path, poses = files(style)
    assert max(np.bincount([pose['image_id'] for pose in poses])) > 20
    wanted, found = (evaluate(kinds, path, poses, style).stats for kinds in (THEIRS, OURS))
    assert len(set(wanted)) > 6 and 0.05 < wanted[0] < 0.95
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize('with_faster', [True, False])
@every_style
def test_matches_agree(files, style, with_faster, monkeypatch):
    if not with_faster:
        monkeypatch.setattr(cocoeval, 'faster', None)
        style = style._replace(iou_type='keypoints')
    path, poses = files(style, images=3)
    wanted, found = (
        evaluate(kinds, path, poses, style, summarize=False) for kinds in (THEIRS, OURS)
    )
    for other, ours in zip(wanted.evalImgs, found.evalImgs, strict=True):
        assert (other is None) == (ours is None)
        for name in other or ():
            np.testing.assert_array_equal(ours[name], other[name], err_msg=name)


@pytest.mark.parametrize('name', ['COCO', 'COCO, boxes', 'OCHuman', 'CrowdSynth of 19'])
def test_pycocotools_alone_agrees(files, name, monkeypatch):
    monkeypatch.setattr(cocoeval, 'faster', None)
    path, poses = files(STYLES[name], images=4)
    wanted, found = (evaluate(kinds, path, poses, STYLES[name]).stats for kinds in (THEIRS, OURS))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


def test_pycocotools_alone_says_what_crowds_need(monkeypatch):
    monkeypatch.setattr(cocoeval, 'faster', None)
    with pytest.raises(
        ImportError, match=r"'keypoints_crowd' \(CrowdPose\) needs: pip install fas"
    ):
        cocoeval.COCOeval(iouType='keypoints_crowd')


def test_other_protocols_name_the_package():
    with pytest.raises(
        ImportError, match="'keypoints_foot' is evaluated by xtcocotools alone: pip"
    ):
        cocoeval.COCOeval(iouType='keypoints_foot')


@faster
def test_some_images_can_be_accumulated(files):
    style = STYLES['CrowdPose']
    path, poses = files(style)
    precisions = []
    for kinds in (THEIRS, OURS):
        some = evaluate(kinds, path, poses, style, summarize=False)
        areas, images = len(some.params.areaRng), some.params.imgIds
        kept = np.tile(np.arange(len(images)) < 5, areas)
        some.evalImgs = [one for one, keep in zip(some.evalImgs, kept, strict=True) if keep]
        some.params.imgIds = images[:5]
        some._paramsEval = some.params
        with contextlib.redirect_stdout(io.StringIO()):
            some.accumulate()
        precisions.append(some.eval['precision'])
    np.testing.assert_allclose(precisions[1], precisions[0], rtol=0, atol=1e-9)


def test_run_without_any_pose_has_no_precision(files, tmp_path):
    path, _ = files(STYLES['COCO'], images=2)
    (tmp_path / 'none.json').write_text('[]')
    for nothing in ([], str(tmp_path / 'none.json')):
        wanted, found = (evaluate(kinds, path, nothing, STYLES['COCO']) for kinds in (THEIRS, OURS))
        np.testing.assert_array_equal(found.stats, wanted.stats)


def test_annotations_are_read_alike(files):
    path, _ = files(STYLES['COCO'], images=3)
    with contextlib.redirect_stdout(io.StringIO()):
        other, ours = COCO(path, test_index=[0, 5]), coco.COCO(path, test_index=[0, 5])
    assert ours.dataset == other.dataset and ours.anno_file == other.anno_file
    assert len(ours.anns[900]['keypoints']) == 6
    assert ours.getAnnIds(imgIds=[3]) == other.getAnnIds(imgIds=[3])


def test_masks_are_decoded():
    square = np.asfortranarray(np.eye(4, dtype=np.uint8))
    np.testing.assert_array_equal(mask.decode(mask.encode(square)), square)
