"""Two models side by side: who counts as found, what is drawn, what the files say."""

import contextlib
import io
import json
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

from pinet_mm import api, comparison
from pinet_mm.comparison import Annotations, Spec, draw, judging, names_of, sides
from pinet_mm.comparison.drawing import EXTRA_COLOR, LEGEND_HEIGHT, draw_legend
from pinet_mm.datasets.matching import Persons
from pinet_mm.inference.drawing import PERSON_COLORS

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from tests.helpers import toys

ROOT = Path(__file__).parents[2]
META = parse_pose_metainfo(toys.five_metainfo())
SIGMAS = np.array(META['sigmas'])
SHAPE = np.array([[0, -30], [-30, 0], [30, 0], [-20, 30], [20, 30]])
WHITE = (255, 255, 255)


def poses(*middles, scores=None):
    """Five-keypoint persons of 60 px around the middles, as `counted_poses` returns them."""
    keypoints = np.array(middles, dtype=np.float64).reshape(-1, 1, 2) + SHAPE
    scores = np.linspace(1, 0.5, len(keypoints)) if scores is None else np.array(scores)
    return InstanceData(
        keypoints=keypoints, keypoints_visible=np.ones(keypoints.shape[:2]), bbox_scores=scores
    )


def persons(*middles, crowd_index=None):
    keypoints = np.array(middles, dtype=np.float64).reshape(-1, 1, 2) + SHAPE
    boxes = np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=-1)
    return Persons(
        keypoints,
        np.ones(keypoints.shape[:2], bool),
        np.full(len(keypoints), 3600.0),
        boxes,
        crowd_index,
    )


def entry(number, keypoints, labels, **more):
    keypoints = np.asarray(keypoints, dtype=float)
    low, high = keypoints.min(axis=0), keypoints.max(axis=0)
    return dict(
        id=number,
        image_id=7,
        category_id=1,
        iscrowd=0,
        bbox=[*low, *(high - low)],
        num_keypoints=int((labels > 0).sum()),
        keypoints=np.concatenate((keypoints, labels[:, None]), axis=1).ravel().tolist(),
        **more,
    )


def write_annotations(path, entries, images=None):
    images = images or [dict(id=7, file_name='a.png', width=128, height=128, crowdIndex=0.5)]
    category = dict(id=1, name='person', keypoints=[], skeleton=[])
    path.write_text(json.dumps(dict(images=images, annotations=entries, categories=[category])))
    return path


# --- who is found --------------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(12))
def test_persons_are_found_as_cocos_evaluation_finds_them(seed, tmp_path):
    rng = np.random.default_rng(seed)
    bodies = rng.uniform(20, 100, (6, 1, 2)) + rng.normal(0, 15, (6, 5, 2))
    bodies[1:3] = bodies[0] + rng.normal(0, 3, (2, 5, 2))  # three who are hard to tell apart
    labels = rng.integers(0, 3, (6, 5)) * (rng.random((6, 1)) < 0.8)
    entries = [
        entry(i + 1, body, label, area=float(rng.uniform(400, 2000)))
        for i, (body, label) in enumerate(zip(bodies, labels))
    ]
    entries[5]['iscrowd'] = 1
    path = write_annotations(tmp_path / 'a.json', entries)
    keypoints = np.concatenate([bodies + rng.normal(0, 2, bodies.shape) for _ in range(2)])
    scores = np.sort(rng.random(12))[::-1]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        triples = np.concatenate((keypoints, np.ones((12, 5, 1))), axis=-1)
        found = truth.loadRes(
            [
                dict(image_id=7, category_id=1, keypoints=each.ravel().tolist(), score=score)
                for each, score in zip(triples, scores)
            ]
        )
        wanted = COCOeval(truth, found, 'keypoints', SIGMAS)
        wanted.params.iouThrs = [0.5]
        wanted.evaluate()
    evaluated = wanted.evalImgs[0]  # of all areas
    people = Annotations(path, 5).persons(7)
    result = judging.judge_by_annotations([poses(*np.zeros((12, 2)))] * 2, people, SIGMAS)
    assert len(result.people.keypoints) == (np.array(evaluated['gtIgnore']) == 0).sum()
    each = InstanceData(keypoints=keypoints, bbox_scores=scores)
    view, _ = judging.judge_by_annotations([each] * 2, people, SIGMAS).views
    # COCO's ids of annotations, in our order: those who count.
    ids = [
        number for number, ignored in zip(evaluated['gtIds'], evaluated['gtIgnore']) if not ignored
    ]
    matches = dict(zip(evaluated['gtIds'], evaluated['gtMatches'][0]))
    expected = np.full(12, -1)
    for person, number in enumerate(ids):
        if matches[number] >= 0:
            expected[evaluated['dtIds'].index(matches[number])] = person
    np.testing.assert_array_equal(view.shown, expected)
    assert view.missed.tolist() == [i for i, number in enumerate(ids) if matches[number] < 0]


def test_of_more_than_twenty_poses_the_best_twenty_can_find_somebody():
    middles = [(100 * i, 100) for i in range(25)]
    result = judging.judge_by_annotations([poses(*middles), poses()], persons(*middles), SIGMAS)
    assert result.views[0].missed.tolist() == [20, 21, 22, 23, 24]
    assert len(result.views[0].poses) == 25 and result.views[0].shown[20:].tolist() == [-1] * 5


def test_nobody_on_either_side():
    people, nobody = persons((100, 100)), persons()
    result = judging.judge_by_annotations([poses(), poses((100, 100))], people, SIGMAS)
    assert [view.missed.tolist() for view in result.views] == [[0], []]
    result = judging.judge_by_annotations([poses(), poses((100, 100))], nobody, SIGMAS)
    assert [view.missed.tolist() for view in result.views] == [[], []]
    assert result.views[1].shown.tolist() == [-1]
    for first, second, missed in (
        (poses(), poses(), [[], []]),
        (poses((50, 50)), poses(), [[], [0]]),
        (poses(), poses((50, 50)), [[0], []]),
    ):
        result = judging.judge_each_other([first, second], SIGMAS)
        assert [view.missed.tolist() for view in result.views] == missed
        assert result.persons is None and len(result.people.keypoints) == max(
            len(first), len(second)
        )


def plain_oks(first, second):
    """The OKS of two poses, keypoint by keypoint, as the supplement defines it."""
    area = np.mean([np.ptp(pose[:, 0]) * np.ptp(pose[:, 1]) for pose in (first, second)])
    return np.mean(
        [
            np.exp(-((a - b) ** 2).sum() / (2 * area * (2 * sigma) ** 2))
            for a, b, sigma in zip(first, second, SIGMAS)
        ]
    )


@pytest.mark.parametrize('seed', range(5))
def test_without_annotations_the_models_judge_each_other(seed):
    rng = np.random.default_rng(seed)
    middles = rng.uniform(40, 300, (6, 2))
    first = poses(*middles[:5] + rng.normal(0, 4, (5, 2)))
    second = poses(*middles[1:] + rng.normal(0, 4, (5, 2)))
    result = judging.judge_each_other([first, second], SIGMAS)
    alike = np.array([[plain_oks(a, b) > 0.5 for b in second.keypoints] for a in first.keypoints])
    new = [i for i in range(5) if not any(alike[:, i])]
    assert result.views[1].missed.tolist() == [i for i in range(5) if not any(alike[i])]
    assert result.views[0].missed.tolist() == [5 + i for i in range(len(new))]
    assert result.views[0].shown.tolist() == [0, 1, 2, 3, 4]
    for pose, person in enumerate(result.views[1].shown):
        assert person == 5 + new.index(pose) if pose in new else alike[person, pose]
    wanted = np.concatenate((first.keypoints, second.keypoints[new]))
    np.testing.assert_allclose(result.people.keypoints, wanted)
    assert result.people.labeled.all()


def test_poses_count_by_their_score_the_best_first():
    people = poses((50, 50), (60, 60), (70, 70), scores=[0.2, 0.1, 0.9])
    people.keypoint_scores = np.tile([[0.3], [0.05], [0.2]], 5)
    counted = comparison.counted_poses(PoseDataSample(pred_instances=people), 0.15)
    assert counted.bbox_scores.tolist() == [0.9, 0.2]
    np.testing.assert_array_equal(counted.keypoints[:, 0], [[70, 40], [50, 20]])
    np.testing.assert_array_equal(counted.keypoints_visible[:, 0], [0.2, 0.3])
    del people.bbox_scores  # as MMPose's CID leaves them: the mean of the keypoints'
    counted = comparison.counted_poses(PoseDataSample(pred_instances=people), 0.15)
    np.testing.assert_allclose(counted.bbox_scores, [0.3, 0.2])


def test_pictures_are_ordered_by_crowding_or_by_difference():
    def picture(first, second, crowd_index, total=5):
        views = [judging.View(None, None, np.arange(total - found)) for found in (first, second)]
        return judging.Comparison(
            None, views, persons(*np.zeros((total, 2)), crowd_index=crowd_index)
        )

    pictures = [
        picture(3, 3, 0.9),
        picture(4, 2, 0.1),
        picture(1, 3, 0.4),
        picture(0, 3, None),
        picture(3, 3, 0.9, total=6),
        picture(2, 2, None),
    ]
    assert judging.most_different_first(pictures) == [3, 2, 1, 4, 0, 5]
    assert judging.hardest_first(pictures) == [4, 0, 2, 1, 3, 5]
    assert judging.choose(pictures) == [0, 1, 2, 3, 4, 5]
    assert judging.choose(pictures, hardest=3) == [4, 0, 2]
    assert judging.choose(pictures, most_different=3) == [3, 2, 1]
    assert judging.choose(pictures, hardest=4, most_different=2) == [2, 1]


# --- annotations ---------------------------------------------------------------------------------


def test_annotated_persons_are_read(tmp_path):
    body, seen = SHAPE + 64.0, np.array([2, 1, 0, 2, 2])
    entries = [
        entry(1, body, seen),
        entry(2, body, seen, area=9.0),
        entry(3, body, seen * 0),
        dict(entry(4, body, seen), iscrowd=1),
    ]
    truth = Annotations(write_annotations(tmp_path / 'a.json', entries), 5)
    people = truth.persons(truth.find(Path('elsewhere/a.png')))
    np.testing.assert_array_equal(people.keypoints, [body, body])
    np.testing.assert_array_equal(people.labeled, [[True, True, False, True, True]] * 2)
    np.testing.assert_allclose(people.areas, [0.53 * 60 * 60, 9])
    np.testing.assert_array_equal(people.boxes, [[34, 34, 94, 94]] * 2)
    assert people.crowd_index == 0.5
    assert truth.find(Path('b.png')) is None
    empty = Annotations(write_annotations(tmp_path / 'b.json', []), 5).persons(7)
    assert empty.keypoints.shape == (0, 5, 2) and empty.boxes.shape == (0, 4)


def test_pictures_of_one_name_are_told_apart_by_their_folders(tmp_path):
    images = [dict(id=1, file_name='x/a.png'), dict(id=2, file_name='y/a.png')]
    truth = Annotations(write_annotations(tmp_path / 'a.json', [], images), 5)
    assert truth.find(tmp_path / 'y' / 'a.png') == 2
    with pytest.raises(ValueError, match=r'a.json holds several images named a.png, and .*z/a'):
        truth.find(tmp_path / 'z' / 'a.png')


def test_wrong_annotations_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='annotation file .*gone.json does not exist'):
        Annotations(tmp_path / 'gone.json', 5)
    for text, problem in (
        ('{', ' is no JSON: .* in line 1, column 2'),
        ('[]', ': .*expected a list each, found a list'),
        ('{"images": []}', ': .*found no annotations, categories'),
    ):
        (tmp_path / 'bad.json').write_text(text)
        with pytest.raises(ValueError, match=f'bad.json{problem}'):
            Annotations(tmp_path / 'bad.json', 5)
    path = write_annotations(tmp_path / 'a.json', [entry(1, SHAPE, np.ones(5))])
    with pytest.raises(ValueError, match='models have 17 keypoints; found persons of 5 in .*a.js'):
        Annotations(path, 17)
    Annotations(path, 5).require_size(Path('a.png'), (128, 128))
    with pytest.raises(ValueError, match=r'a.png has 64x128 pixels; .*a.json is for 128x128'):
        Annotations(path, 5).require_size(Path('a.png'), (128, 64))


# --- drawing -------------------------------------------------------------------------------------


def near(picture, x, y):
    """The BGR colors within 2 px of (x, y)."""
    return {tuple(pixel) for pixel in picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).tolist()}


def count(picture, bgr):
    return int((picture == bgr).all(axis=-1).sum())


def panes_of(drawn, width=480):
    """The panes without their two lines of title and the legend."""
    height = drawn.shape[0] - LEGEND_HEIGHT
    return drawn[height - width : height, :width], drawn[height - width : height, -width:]


def test_a_person_has_one_color_and_the_missed_are_drawn_in_dashes():
    people = persons((60, 120), (180, 120), (120, 180))
    result = judging.judge_by_annotations(
        [poses((180, 120), (60, 60)), poses((60, 120), (180, 120))], people, SIGMAS
    )
    drawn = draw(np.full((240, 240, 3), 128, np.uint8), result, 'AB', META)
    assert drawn.shape == (480 + 56 + LEGEND_HEIGHT, 2 * 480 + 6, 3)
    left, right = panes_of(drawn)
    bgr = [color[::-1] for color in PERSON_COLORS]
    # Coordinates are doubled: the head of the second person, found by both models.
    assert bgr[1] in near(left, 360, 180) and bgr[1] in near(right, 360, 180)
    # The first person is missed on the left, where a gray pose shows nobody, …
    assert bgr[0] in near(right, 120, 180) and bgr[0] not in near(left, 120, 180)
    assert EXTRA_COLOR[::-1] in near(left, 120, 60)
    assert EXTRA_COLOR[::-1] not in near(right, 120, 60)
    # … and is drawn there in white; the third is missed by both.
    for x, y in SHAPE * 2 + (120, 240):
        assert WHITE in near(left, x, y) and WHITE not in near(right, x, y)
    for side in (left, right):
        assert WHITE in near(side, 240, 300)
    assert count(left, WHITE) > count(right, WHITE) + 50
    assert drawn[:28].max() > 200 and drawn[28:56].max() > 200
    assert (drawn[-LEGEND_HEIGHT:] == draw_legend(drawn.shape[1], annotated=True)).all()


def test_limbs_of_the_missed_are_dashed_and_only_labeled_keypoints_are_drawn():
    people = persons((120, 120))
    people.labeled[0, 4] = False
    result = judging.judge_by_annotations([poses()] * 2, people, SIGMAS)
    left, _ = panes_of(draw(np.full((240, 240, 3), 128, np.uint8), result, 'AB', META))
    first, second = next(link for link in META['skeleton_links'] if 4 not in link)
    line = np.linspace(SHAPE[first] * 2 + 240, SHAPE[second] * 2 + 240, 200).round().astype(int)
    white = (left[line[:, 1], line[:, 0]] == WHITE).all(axis=-1)
    changes = np.flatnonzero(np.diff(white.astype(int)))
    assert white.any() and len(changes) >= 6, 'dashes: on and off several times'
    x, y = SHAPE[4] * 2 + 240
    assert (left[y - 4 : y + 5, x - 4 : x + 5] == 128).all(), 'nothing stands at an unlabeled one'


@pytest.mark.parametrize('width', [486, 966, 1300])
@pytest.mark.parametrize('annotated', [True, False])
def test_the_legend_shows_what_the_lines_mean(width, annotated):
    legend = draw_legend(width, annotated)
    assert legend.shape == (LEGEND_HEIGHT, width, 3)
    colors = {tuple(color) for color in legend.reshape(-1, 3).tolist()}
    assert {PERSON_COLORS[0][::-1], PERSON_COLORS[1][::-1], WHITE} <= colors
    assert (EXTRA_COLOR[::-1] in {tuple(c) for c in legend[14:17].reshape(-1, 3).tolist()}) >= (
        annotated
    )
    assert not legend[:, -4:].any(), 'the last text ends before the edge'


@pytest.mark.parametrize(
    'size, wanted',
    [
        ((128, 128), (480, 480)),
        ((96, 48), (480, 240)),
        ((500, 600), (500, 600)),
        ((3000, 1500), (640, 320)),
    ],
)
def test_panes_are_neither_too_small_nor_too_large(size, wanted):
    height, width = size
    result = judging.judge_by_annotations([poses()] * 2, persons(), SIGMAS)
    drawn = draw(np.full((height, width, 3), 9, np.uint8), result, ('a' * 200, 'b'), META)
    title = 2 * round(28 * max(1, wanted[1] / 480))
    assert drawn.shape == (wanted[0] + title + LEGEND_HEIGHT, 2 * wanted[1] + 6, 3)
    panes = drawn[title:-LEGEND_HEIGHT]
    assert (panes[:, : wanted[1]] == 9).all() and (panes[:, -wanted[1] :] == 9).all()
    # A long name gets smaller instead of running into its neighbor's.
    assert drawn[: title // 2, : wanted[1]].max() > 60
    assert not drawn[: title // 2, wanted[1] - 2 : wanted[1] + 6].any()


@pytest.mark.parametrize(
    'people, wanted',
    [
        (persons((0, 0)), ('found 0 of 1 (0 poses)', 'found 1 of 1 (2 poses)')),
        (None, ("0 poses, misses 2 of the other's", "2 poses, misses 0 of the other's")),
    ],
)
def test_the_titles_say_how_many_were_found(monkeypatch, people, wanted):
    said = []

    def side_by_side(panes, titles, gap):
        said.extend(titles)
        return panes[0]

    monkeypatch.setattr(comparison.drawing, 'side_by_side', side_by_side)
    found = [poses(), poses((0, 0), (300, 300))]
    result = (
        judging.judge_by_annotations(found, people, SIGMAS)
        if people
        else judging.judge_each_other(found, SIGMAS)
    )
    draw(np.zeros((480, 480, 3), np.uint8), result, ('one', 'two'), META)
    assert said == [f'one\n{wanted[0]}', f'two\n{wanted[1]}']


# --- models --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'first, second, wanted',
    [
        (Spec('x/a.py'), Spec('b.py'), ['a', 'b']),
        (Spec('a.py', 'w/1.pth'), Spec('a.py', 'w/2.pth'), ['a 1', 'a 2']),
        (Spec('a.py', 'v/1.pth'), Spec('a.py', 'w/1.pth'), ['a v/1.pth', 'a w/1.pth']),
        (Spec('a.py', '1.pth'), Spec('a.py'), ['a 1', 'a shipped']),
        (
            Spec('a.py'),
            Spec('a.py', None, {'model.test_cfg.flip_test': False}),
            ['a', 'a flip_test=False'],
        ),
        (Spec('x/a.py', '1.pth'), Spec('y/a.py', '1.pth'), ['a (1)', 'a (2)']),
    ],
)
def test_default_names_differ(first, second, wanted):
    assert names_of([first, second]) == wanted


def test_models_must_have_the_same_keypoints_and_different_names(monkeypatch):
    metas = {'a': META, 'b': dict(META, keypoint_id2name={0: 'nose', 1: 'tail'})}
    monkeypatch.setattr(
        sides, 'load', lambda config, *_: SimpleNamespace(dataset_meta=metas[config])
    )
    with pytest.raises(
        ValueError,
        match=r'the same keypoints; a has 5 \(head, left_hand, .*\), '
        r'b has 2 \(nose, tail\)',
    ):
        comparison.load_sides([Spec('a'), Spec('b')])
    with pytest.raises(ValueError, match='names of the two models must differ; both are X'):
        comparison.load_sides([Spec('a'), Spec('a')], ['X', 'X'])
    first, second = comparison.load_sides([Spec('a'), Spec('a')], None, (0.1, 0.3))
    assert (first.name, first.pose_thr, second.pose_thr) == ('a (1)', 0.1, 0.3)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Pictures of two sizes, annotations, a config, a checkpoint that finds persons at random."""
    path = tmp_path_factory.mktemp('compare')
    (path / 'inputs').mkdir()
    rng = np.random.default_rng(0)
    sizes = dict(a=(128, 128), b=(100, 150), c=(128, 128))
    for name, (height, width) in sizes.items():
        cv2.imwrite(
            str(path / 'inputs' / f'{name}.png'),
            rng.integers(0, 255, (height, width, 3), dtype=np.uint8),
        )
    config = Config.fromfile(ROOT / 'configs' / 'pinet_hrnet-slim_crowdsynth.py')
    config.model = toys.model_config('coco', test_cfg=dict(flip_test=True, max_per_part=5))
    config.model.head.decoder = config.codec
    config.dump(path / 'config.py')
    model = toys.build_in_mmpose(MODELS, config.model).eval()
    toys.awaken(model, torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)))
    torch.save(dict(state_dict=model.state_dict(), meta={}), path / 'weights.pth')
    # The persons of a.png are those whom the model finds there; b.png has nobody annotated.
    loaded = api.load(path / 'config.py', path / 'weights.pth', 'cpu')
    (sample,) = api.predict(loaded, [path / 'inputs' / 'a.png'])
    entries = [
        entry(i, pose, np.full(17, 2))
        for i, pose in enumerate(comparison.counted_poses(sample, 0.1).keypoints, 1)
    ]
    assert entries
    images = [
        dict(id=7 + i, file_name=f'{name}.png', height=sizes[name][0], width=sizes[name][1])
        for i, name in enumerate('ab')
    ]
    write_annotations(path / 'truth.json', entries, images)
    return path


def run_compare(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['compare.py', *map(str, arguments)])
    runpy.run_path(str(ROOT / 'tools' / 'compare.py'), run_name='__main__')


def models(folder):
    """The model as it is, and so that it finds nobody."""
    own = ('--model', folder / 'config.py', folder / 'weights.pth')
    return *own, *own, 'model.test_cfg.part_thr=1000.0'


def test_compare_counts_draws_and_writes(folder, monkeypatch, capsys):
    persons = len(json.loads((folder / 'truth.json').read_text())['annotations'])
    for out in ('out', 'out'):  # the second run takes no drawing for a picture
        run_compare(
            monkeypatch,
            folder,
            *models(folder),
            '--annotations',
            folder / 'truth.json',
            '--out',
            folder / out,
            '--hardest',
            1,
            '--device',
            'cpu',
        )
    document = json.loads((folder / 'out' / 'comparison.json').read_text())
    names = ['config', 'config part_thr=1000.0']
    assert document['schema'] == comparison.SCHEMA and document['oks_thr'] == 0.5
    assert [model['name'] for model in document['models']] == names
    assert document['models'][1]['cfg_options'] == {'model.test_cfg.part_thr': 1000.0}
    first, second = document['pictures']
    assert first['file'] == str(folder / 'inputs' / 'a.png') and first['persons'] == persons
    assert first['models'] == {
        names[0]: dict(poses=persons, missed=0, found=persons),
        names[1]: dict(poses=0, missed=persons, found=0),
    }
    assert (second['persons'], second['models'][names[1]]['missed']) == (0, 0)
    assert (first['drawing'], second['drawing']) == ('a.jpg', None)
    assert document['left_out'] == [str(folder / 'inputs' / 'c.png')]
    totals = document['totals']
    assert (totals['pictures'], totals['persons']) == (2, persons)
    assert totals['models'][names[1]] == dict(poses=0, missed=persons, found=0)
    assert sorted(file.name for file in (folder / 'out').iterdir()) == [
        'a.jpg',
        'comparison.json',
        'overview.jpg',
    ]
    drawn = cv2.imread(str(folder / 'out' / 'a.jpg'))
    assert drawn.shape == (536 + LEGEND_HEIGHT, 966, 3)
    poses = totals['models'][names[0]]['poses']
    assert capsys.readouterr().out.rstrip().splitlines()[-1] == (
        f'2 images, {persons} persons: config found {persons} with {poses} poses; '
        f'config part_thr=1000.0 found 0 with 0 poses; 1 images without annotations left out; '
        f'drawings and comparison.json are in {folder / "out"}'
    )


def test_drawings_that_cannot_be_written_are_said_and_not_named(folder, monkeypatch):
    out = folder / 'full'
    for name in ('a.jpg', 'overview.jpg'):
        (out / name).mkdir(parents=True)  # no file can have this name
    message = '^error: 2 images could not be written into .*full: a.jpg, overview.jpg .*comparison.'
    with pytest.raises(SystemExit, match=message):
        run_compare(monkeypatch, folder / 'inputs', *models(folder), '--out', out)
    document = json.loads((out / 'comparison.json').read_text())
    assert [each['drawing'] for each in document['pictures']] == [None, 'b.jpg', 'c.jpg']


def test_compare_without_annotations(folder, monkeypatch, capsys):
    run_compare(
        monkeypatch,
        folder / 'inputs',
        *models(folder),
        '--names',
        'A',
        'B',
        '--out',
        folder / 'plain',
        '--pose-thr',
        '0.1',
        '0.2',
    )
    document = json.loads((folder / 'plain' / 'comparison.json').read_text())
    assert [model['pose_thr'] for model in document['models']] == [0.1, 0.2]
    assert document['totals']['persons'] is None and document['annotations'] is None
    for picture in document['pictures']:
        assert picture['models']['A']['poses'] == picture['models']['B']['missed'] > 0
        assert picture['models']['A']['missed'] == 0 == picture['models']['B']['poses']
        assert picture['models']['A']['found'] is None
    assert [picture['drawing'] for picture in document['pictures']] == ['a.jpg', 'b.jpg', 'c.jpg']
    assert 'images: A has' in capsys.readouterr().out


@pytest.mark.parametrize(
    'more, message',
    [
        (
            ('--hardest', '3'),
            'must be at least 1 and needs annotations .* found 3 and no annotations',
        ),
        (
            ('--hardest', '3', '--most-different', '0'),
            'must be at least 1 and needs .* found 0 and no',
        ),
        (('--annotations', 'gone.json'), 'the annotation file gone.json does not exist'),
        (('--names', 'A', 'A'), 'names of the two models must differ; both are A'),
    ],
)
def test_compare_says_in_one_line_why_not(folder, monkeypatch, more, message):
    with pytest.raises(SystemExit, match=f'^error: .*{message}'):
        run_compare(monkeypatch, folder / 'inputs', *models(folder), '--out', folder / 'no', *more)
    assert not (folder / 'no').exists()


def test_pictures_without_annotations_or_outside_are_refused(folder, monkeypatch):
    with pytest.raises(
        SystemExit,
        match=r'error: .*truth.json has none of the 1 images, such as '
        r'c.png',
    ):
        run_compare(
            monkeypatch,
            folder / 'inputs' / 'c.png',
            *models(folder),
            '--annotations',
            folder / 'truth.json',
            '--out',
            folder / 'no',
        )
    with pytest.raises(SystemExit, match='error: all images lie in .*inputs, where'):
        run_compare(monkeypatch, folder / 'inputs', *models(folder), '--out', folder / 'inputs')


@pytest.mark.parametrize(
    'arguments, message',
    [
        (('--model', 'a.py'), 'expected two --model and at most two --pose-thr; found 1 and 1'),
        (
            ('--model', 'a.py', '--model', 'b.py', 'w.pth', 'c.jpg'),
            r'expected KEY=VALUE; found c.jpg \(pictures come before --model\)',
        ),
    ],
)
def test_wrong_command_lines_are_explained(monkeypatch, capsys, arguments, message):
    with pytest.raises(SystemExit):
        run_compare(monkeypatch, 'x.jpg', *arguments)
    assert re.search(message, capsys.readouterr().err)
