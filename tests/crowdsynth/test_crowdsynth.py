"""The synthetic crowd: what is labeled is what is seen, and every byte follows from the seed."""

import json
import os
import subprocess
import sys
from pathlib import Path

from pinet_mm.cli.make_crowdsynth import main
from pinet_mm.crowdsynth import (
    LAYOUTS,
    POSES,
    CrowdSettings,
    Person,
    crowd_index,
    draw_crowd,
    draw_preview,
    mask_to_polygons,
    scene,
    summarize,
    write_dataset,
)
from pinet_mm.crowdsynth.angles import LIMITS, SIDES, sample_angles
from pinet_mm.crowdsynth.bodies import PROPORTIONS, joints_of, sample_body, sample_bones
from pinet_mm.crowdsynth.layout import Layouts, make_actor
from pinet_mm.crowdsynth.people import Figure
from pinet_mm.crowdsynth.shading import join_tables, shade, surface
from pinet_mm.crowdsynth.shapes import Shape, draw_shapes, stamp

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

SMALL = CrowdSettings(size=(96, 96), persons=(2, 5), height=(0.5, 0.9))
PLAIN = dict(photometric=False, occluders=False)


@pytest.fixture(scope='module')
def pictures():
    """Return 30 small pictures with their persons."""
    return [draw_crowd(SMALL, seed=1, index=index) for index in range(30)]


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """Return the folder and the annotations of a small dataset, written by one process."""
    out = tmp_path_factory.mktemp('crowd')
    path, _ = write_dataset(out, SMALL, 20, seed=3, split='val')
    return out, json.loads(path.read_text())


def _standing_alone(**other):
    """Return settings of one upright person who fits into a 200 x 300 picture."""
    return CrowdSettings(
        size=(200, 300),
        persons=(1, 1),
        height=(0.6, 0.6),
        poses=('standing',),
        **{**PLAIN, **other},
    )


def _files(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(Path(folder).rglob('*'))
        if path.is_file()
    }


# ---- determinism -------------------------------------------------------------------------------


def test_same_arguments_give_the_same_picture_and_labels():
    first, again = (draw_crowd(SMALL, seed=5, index=7) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert len(first[1]) == len(again[1]) > 0
    for one, two in zip(first[1], again[1]):
        assert np.array_equal(one.keypoints, two.keypoints) and np.array_equal(one.mask, two.mask)


@pytest.mark.parametrize('other', [(6, 7, 'train'), (5, 8, 'train'), (5, 7, 'val')])
def test_seed_index_and_split_each_change_the_picture(other):
    assert not np.array_equal(draw_crowd(SMALL, 5, 7, 'train')[0], draw_crowd(SMALL, *other)[0])


def test_two_workers_write_the_bytes_of_one(dataset, tmp_path):
    write_dataset(tmp_path, SMALL, 20, seed=3, split='val', workers=2)
    assert _files(tmp_path) == _files(dataset[0])


_AFTER_THREADS = """
import sys, types
package = types.ModuleType('pinet_mm')
package.__path__ = [sys.argv[1]]
sys.modules['pinet_mm'] = package
import cv2, numpy
from pinet_mm.crowdsynth import CrowdSettings, write_dataset
cv2.setNumThreads(4)
cv2.GaussianBlur(numpy.zeros((2000, 2000), 'uint8'), (0, 0), 9)
write_dataset(sys.argv[2], CrowdSettings(size=(512, 512)), 2, workers=2)
print(cv2.getNumThreads(), sorted({'torch', 'mmengine', 'scipy'} & set(sys.modules)))
"""


def test_workers_start_beside_busy_opencv_threads_and_need_no_torch(tmp_path):
    # forked processes hang on threads that the parent left them
    done = subprocess.run(
        [sys.executable, '-c', _AFTER_THREADS, ROOT / 'pinet_mm', tmp_path],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '4 []\n', '')
    assert (tmp_path / 'annotations/train.json').exists()


def test_drawing_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].copy()
    draw_crowd(SMALL, 0, 0)
    assert np.array_equal(before, np.random.get_state()[1])


# ---- bodies ------------------------------------------------------------------------------------


@pytest.mark.parametrize('pose', POSES)
def test_angles_stay_inside_the_joint_limits(pose):
    rng = np.random.default_rng(0)
    for _ in range(40):
        for name, angle in sample_angles(rng, pose).items():
            low, high = LIMITS[name.replace('left_', '').replace('right_', '')]
            assert low <= angle <= high, name


@pytest.mark.parametrize('pose', POSES)
def test_bones_keep_their_length_in_every_pose_and_view(pose):
    rng = np.random.default_rng(1)
    chains = (
        ('shoulder', 'elbow', 'upper_arm'),
        ('elbow', 'wrist', 'forearm'),
        ('hip', 'knee', 'thigh'),
        ('knee', 'ankle', 'shank'),
    )
    for view in ('front', 'side', 'back'):
        body = sample_body(rng, pose, view, tilt=10)
        for side in SIDES:
            for first, second, bone in chains:
                ends = [body.joints_cam[f'{side}_{joint}'] for joint in (first, second)]
                length = np.linalg.norm(ends[0] - ends[1])
                assert length == pytest.approx(body.bones[bone], abs=1e-9)
                assert length == pytest.approx(PROPORTIONS[bone], rel=0.121)


def test_joints_of_a_body_at_rest_by_hand():
    angles = dict.fromkeys(sample_angles(np.random.default_rng(0), 'standing'), 0.0)
    angles.update(left_shoulder_abduct=90.0, right_elbow=90.0, left_hip_flex=90.0, right_knee=90.0)
    joints = joints_of(angles, dict(PROPORTIONS))[0]
    arm, leg = PROPORTIONS['upper_arm'], PROPORTIONS['thigh']
    shoulder = joints['left_shoulder']
    assert joints['left_elbow'] - shoulder == pytest.approx([arm, 0, 0], abs=1e-9)
    bend = joints['right_wrist'] - joints['right_elbow']
    assert bend == pytest.approx([0, 0, PROPORTIONS['forearm']], abs=1e-9)
    assert joints['left_knee'] - joints['left_hip'] == pytest.approx([0, 0, leg], abs=1e-9)
    shin = joints['right_ankle'] - joints['right_knee']
    assert shin == pytest.approx([0, 0, -PROPORTIONS['shank']], abs=1e-9)


def test_bones_vary_but_little():
    rng = np.random.default_rng(2)
    shares = np.array(
        [
            [bones[name] / PROPORTIONS[name] for name in PROPORTIONS]
            for bones in (sample_bones(rng) for _ in range(200))
        ]
    )
    assert 0.88 - 1e-9 <= shares.min() and shares.max() <= 1.12 + 1e-9 and shares.std() > 0.02


@pytest.mark.parametrize('view, sign', [('front', 1), ('back', -1)])
def test_left_is_right_of_right_for_who_faces_the_camera(view, sign):
    names = LAYOUTS['coco'].names
    left, right = names.index('left_shoulder'), names.index('right_shoulder')
    for index in range(6):
        _, (person,) = draw_crowd(_standing_alone(views=(view,)), 0, index)
        gap = person.keypoints[left, 0] - person.keypoints[right, 0]
        assert sign * gap > 5


@pytest.mark.parametrize('view, flag', [('front', 2), ('back', 1)])
def test_the_nose_is_seen_from_the_front_only(view, flag):
    flags = [
        draw_crowd(_standing_alone(views=(view,)), 0, index)[1][0].keypoints[0, 2]
        for index in range(20)
    ]
    assert np.mean(np.array(flags) == flag) >= 0.95


def test_from_the_side_the_far_shoulder_and_hip_are_covered():
    names = LAYOUTS['crowdpose'].names
    pairs = [[names.index(f'{side}_{joint}') for side in SIDES] for joint in ('shoulder', 'hip')]
    settings = _standing_alone(views=('side',), keypoints='crowdpose')
    flags = np.array([draw_crowd(settings, 0, index)[1][0].keypoints[:, 2] for index in range(20)])
    for left, right in pairs:
        assert np.mean(flags[:, left] + flags[:, right] <= 3) > 0.7


def test_both_layouts_name_the_same_joints_of_the_same_picture():
    one, two = (draw_crowd(_standing_alone(keypoints=key), 4, 2) for key in ('coco', 'crowdpose'))
    assert np.array_equal(one[0], two[0])
    for name in set(LAYOUTS['coco'].names) & set(LAYOUTS['crowdpose'].names):
        assert np.array_equal(
            one[1][0].keypoints[LAYOUTS['coco'].names.index(name)],
            two[1][0].keypoints[LAYOUTS['crowdpose'].names.index(name)],
        )


def test_layouts_are_the_orders_that_the_datasets_use():
    assert LAYOUTS['coco'].names[:7] == (
        'nose',
        'left_eye',
        'right_eye',
        'left_ear',
        'right_ear',
        'left_shoulder',
        'right_shoulder',
    )
    assert LAYOUTS['crowdpose'].names[0] == 'left_shoulder'
    assert LAYOUTS['crowdpose'].names[-3:] == ('right_ankle', 'top_head', 'neck')
    assert [LAYOUTS[key].num_keypoints for key in ('coco', 'crowdpose')] == [17, 14]


# ---- shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'end, radii, area',
    [
        ((0, 0), (9, 9), np.pi * 81),  # a point's limb is a disc
        ((30, 40), (9, 9), np.pi * 81 + 18 * 50),  # two half discs and a bar
        # two discs and their outer tangents, which stand at acos(5 / 14) from the axis
        ((14, 0), (10, 5), 100 * (np.pi - 1.20559) + 25 * 1.20559 + 15 * (14**2 - 5**2) ** 0.5),
        ((60, 0), (10, 5), np.pi * (100 + 25) / 2 + 15 * 60),
    ],
)
def test_a_limb_covers_the_area_of_its_outline(end, radii, area):
    ends = ((3.3, 2.7, 0), (3.3 + end[0], 2.7 + end[1], 0))
    drawing = draw_shapes([Shape(ends, radii, (np.full(3, 200.0), np.full(3, 200.0)))])
    canvas = np.zeros((200, 200), np.uint8)
    stamp(canvas, drawing, (60.5, 60.5), (2, 2))
    assert canvas.sum() / 4 == pytest.approx(area, rel=0.02)


def test_a_limb_is_brightest_on_its_axis_and_later_shapes_cover_it():
    white, black = (np.full(3, 255.0),) * 2, (np.zeros(3),) * 2
    drawing = draw_shapes(
        [
            Shape(((0, 0, 0), (0, 0, 0)), (2, 2), black, key=1),
            Shape(((0, 0, 0), (20, 0, 0)), (6, 6), white),
        ]
    )
    canvas = np.full((32, 48), 9, np.uint16)
    stamp(canvas, drawing, (10, 16), (1, 1), first=3)
    assert canvas[16, [10, 22, 45]].tolist() == [4, 3, 9]
    table = join_tables([drawing], np.array([[10, 16]]))
    y = np.arange(11, 22, dtype=np.float32)
    profile = shade(table, np.zeros(11, int), np.full(11, 22, np.float32), y, (0.2, 0, 0, 0.8))[0]
    assert profile.argmax() == 5 and profile[5] == pytest.approx(255)
    assert profile[2] == pytest.approx(255 * (0.2 + 0.8 * 0.75**0.5), abs=0.1)
    # light from the right leaves a limb that runs right without its slant
    slanted = shade(table, np.zeros(11, int), np.full(11, 22, np.float32), y, (0.2, 0.8, 0, 0))
    assert slanted == pytest.approx(255 * 0.2, abs=0.1)


def test_two_colors_meet_at_the_cut_and_stripes_alternate():
    black, white = np.zeros(3), np.full(3, 100.0)
    axis = ((0, 0, 0), (40, 0, 0))
    drawing = draw_shapes(
        [
            Shape(axis, (6, 6), (black, white), cut=0.25),
            Shape(axis, (6, 6), (black, white), cut=0.0, key=1),
            Shape(axis, (6, 6), (black, white), stripes=2, key=2),
        ]
    )
    x = np.array([5, 9, 11, 35] * 3, np.float32)
    labels = np.repeat(np.arange(3), 4)
    found = shade(drawing.table, labels, x, np.zeros(12, np.float32), (1, 0, 0, 0))[0]
    # a stripe of 10 px has the second color, the next the first
    assert found.tolist() == [0, 0, 100, 100] + [100] * 4 + [100, 100, 0, 0]


def test_the_surface_bulges_towards_the_camera():
    ends = ((0, 0, 10), (20, 0, 30))
    drawing = draw_shapes([Shape(ends, (6, 6), (np.zeros(3),) * 2)])
    near = surface(drawing.table, np.zeros(3, int), np.array([0, 10, 10.0]), np.array([0, 0, 3.0]))
    assert near == pytest.approx([16, 26, 20 + 27**0.5], abs=1e-4)


# ---- labels ------------------------------------------------------------------------------------


def test_a_seen_keypoint_lies_on_its_own_person(pictures):
    checked = 0
    for _, persons in pictures:
        for person in persons:
            for x, y, flag in person.keypoints:
                if flag == 2:
                    assert person.mask[int(np.rint(y)), int(np.rint(x))]
                    checked += 1
    assert checked > 300


def test_a_keypoint_under_another_person_is_covered(pictures):
    covered = 0
    for _, persons in pictures:
        for person in persons:
            others = np.zeros_like(person.mask)
            for other in persons:
                others |= other.mask & (other is not person)
            for x, y, flag in person.keypoints:
                if flag > 0 and others[int(np.rint(y)), int(np.rint(x))]:
                    assert flag == 1
                    covered += 1
    assert covered > 50


def test_keypoints_outside_the_picture_are_zero():
    settings = CrowdSettings(size=(64, 64), persons=(1, 3), height=(1.5, 2.0))
    rows = np.concatenate(
        [person.keypoints for index in range(10) for person in draw_crowd(settings, 0, index)[1]]
    )
    outside = rows[:, 2] == 0
    assert 0.1 < outside.mean() < 0.9
    assert (rows[outside] == 0).all()
    assert (rows[~outside, :2] > -0.5).all() and (rows[~outside, :2] < 63.5).all()


def test_area_counts_the_mask_and_the_box_is_tight(pictures):
    for _, persons in pictures:
        for person in persons:
            rows, columns = np.nonzero(person.mask)
            assert person.area == len(rows) > 0
            x, y, w, h = person.bbox
            assert (x, y) == (columns.min(), rows.min())
            assert (x + w, y + h) == (columns.max() + 1, rows.max() + 1)


def test_masks_do_not_overlap_and_hold_the_drawn_person():
    settings = CrowdSettings(size=(96, 96), persons=(3, 3), **PLAIN)
    for index in range(5):
        _, persons = draw_crowd(settings, 9, index)
        assert np.sum([person.mask for person in persons], axis=0).max() == 1


def test_the_mask_is_where_the_person_changes_the_picture(monkeypatch):
    # the same scene over a black and over a white background differs only where nobody stands
    drawn = []
    for value in (0, 255):
        plain = np.full((300, 200, 3), value, np.uint8)
        monkeypatch.setattr(scene, 'draw_background', lambda *args, plain=plain: plain)
        monkeypatch.setattr(scene, 'draw_shadow', lambda *args: None)
        drawn.append(draw_crowd(_standing_alone(), 0, 0))
    same = np.abs(drawn[0][0].astype(int) - drawn[1][0]).max(-1) < 128
    mask = drawn[0][1][0].mask
    assert (same & mask).sum() / (same | mask).sum() > 0.97


# ---- crowd index -------------------------------------------------------------------------------


def _naive_crowd_index(keypoints, bboxes):
    ratios = []
    for i, (x, y, w, h) in enumerate(bboxes):
        own = sum(v > 0 for _, _, v in keypoints[i])
        others = sum(
            v > 0 and x <= px <= x + w and y <= py <= y + h
            for j in range(len(bboxes))
            if j != i
            for px, py, v in keypoints[j]
        )
        if own:
            ratios.append(min(others / own, 1))
    return sum(ratios) / len(ratios) if ratios else 0.0


def test_crowd_index_by_hand():
    first = [[1, 1, 2], [3, 3, 1], [9, 9, 2], [0, 0, 0]]  # three labeled
    second = [[4, 4, 2], [20, 20, 2], [0, 0, 0], [0, 0, 0]]  # one of two inside the first's box
    assert crowd_index([first, second], [[0, 0, 10, 10], [15, 15, 9, 9]]) == pytest.approx(1 / 6)


def test_crowd_index_is_capped_and_skips_persons_without_labels():
    one, five = np.zeros((5, 3)), np.ones((5, 3))
    one[0] = 1
    boxes = [[0, 0, 2, 2]] * 3
    assert crowd_index([one, five, np.zeros((5, 3))], boxes) == pytest.approx((1 + 1 / 5) / 2)
    assert crowd_index([], []) == crowd_index(np.zeros((2, 5, 3)), boxes[:2]) == 0.0


def test_crowd_index_equals_a_plain_loop(pictures):
    for _, persons in pictures:
        keypoints = np.array([person.keypoints for person in persons])
        bboxes = np.array([person.bbox for person in persons])
        expected = _naive_crowd_index(keypoints, bboxes)
        assert crowd_index(keypoints, bboxes) == pytest.approx(expected)


def test_crowd_index_of_two_crowdpose_pictures():
    root = os.environ.get('PINET_TEST_DATA')
    if not root:
        pytest.skip('PINET_TEST_DATA is not set: no CrowdPose samples')
    data = json.loads((Path(root) / 'samples/crowdpose/test_crowdpose.json').read_text())
    for image in data['images']:
        people = [item for item in data['annotations'] if item['image_id'] == image['id']]
        keypoints = np.array([item['keypoints'] for item in people]).reshape(-1, 14, 3)
        measured = crowd_index(keypoints, [item['bbox'] for item in people])
        assert round(measured, 2) == image['crowdIndex']


def _measured(settings, count, seed):
    pictures = [draw_crowd(settings, seed, index)[1] for index in range(count)]
    return np.array(
        [
            crowd_index(
                [person.keypoints for person in persons], [person.bbox for person in persons]
            )
            for persons in pictures
        ]
    )


@pytest.mark.parametrize('target', [0.0, 0.2, 0.5, 0.8, 1.0])
def test_the_crowd_index_comes_near_its_target(target):
    settings = CrowdSettings(
        size=(128, 128), persons=(2, 6), height=(0.5, 0.95), crowd_index=(target, target)
    )
    missed = _measured(settings, 20, seed=2) - target
    assert abs(missed.mean()) < 0.05 and np.sqrt((missed**2).mean()) < 0.12


@pytest.mark.parametrize(
    'settings',
    [
        dict(size=(128, 128), persons=(2, 5), height=(0.5, 0.95)),
        dict(size=(256, 256), persons=(2, 10), height=(0.2, 0.6)),
    ],
    ids=['large', 'ten'],
)
def test_the_crowd_index_is_spread_evenly(settings):
    measured = _measured(CrowdSettings(crowd_index=(0, 1), **settings), 120, seed=4)
    shares = np.histogram(measured, 5, (0, 1))[0] / 120
    assert 0.13 < shares.min() and shares.max() < 0.27


def _block(x, y, half, row=0):
    """Return an actor: a square around (x, y), whose four keypoints are its quarters' middles."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + (x, y)
    shape = Shape(((x, y, 0), (x + 1, y, 0)), (1, 1), (np.zeros(3),) * 2, hulls=(corners,))
    points = np.concatenate([(corners + (x, y)) / 2, np.zeros((4, 1))], 1)
    figure = Figure(draw_shapes([shape]), points, np.zeros(4), None, 2.0 * half)
    return make_actor(figure.drawing, row, (128, 128), figure)


def test_layouts_are_measured_by_hand():
    # cells are 2 px; two squares of 40 px side by side, then half over one another, then the
    # second over the left half of the first, whose box is then half as wide
    layouts = Layouts([_block(0, 60, 20), _block(0, 60, 20)], (128, 128), 0.1)
    index, hidden = layouts.measure(np.array([[30, 90], [64, 64], [64, 44], [30, 300]]))
    # apart 0; the first fully covered does not count: nor do its keypoints in the second's box
    assert index[[0, 1]] == pytest.approx([0, 0])
    # 44: covers x 24..64 of the first's 44..84, which shows 64..84 and holds none of the second's
    # at 34 and 54; the second holds the first's two at 54
    assert index[2] == pytest.approx((0 + 2 / 4) / 2)
    assert hidden.tolist() == [[False, False], [True, False], [False, False], [False, True]]


# ---- files -------------------------------------------------------------------------------------


def _ring():
    mask = np.zeros((30, 40), bool)
    mask[5:25, 8:30] = True
    mask[10:15, 12:20] = False
    mask[18:20, 22:27] = False
    return mask


@pytest.mark.parametrize(
    'mask',
    [np.ones((1, 1), bool), np.eye(7, dtype=bool), _ring(), np.zeros((4, 4), bool)],
    ids=['pixel', 'diagonal', 'holes', 'empty'],
)
def test_polygons_fill_the_mask_again(mask):
    masks = pytest.importorskip('pycocotools.mask')
    polygons = mask_to_polygons(mask)
    if not mask.any():
        assert polygons == []
        return
    codes = masks.frPyObjects(polygons, *mask.shape)
    assert np.array_equal(masks.decode(masks.merge(codes)).astype(bool), mask)


@pytest.mark.parametrize('library', ['pycocotools', 'xtcocotools'])
def test_the_dataset_loads_and_its_polygons_cover_the_masks(dataset, library):
    coco = pytest.importorskip(f'{library}.coco')
    out, data = dataset
    loaded = coco.COCO(str(out / 'annotations/val.json'))
    assert len(loaded.anns) == len(data['annotations']) > 20
    for image_id in loaded.getImgIds():
        persons = draw_crowd(SMALL, 3, image_id, 'val')[1]
        items = loaded.loadAnns(loaded.getAnnIds([image_id]))
        assert len(items) == len(persons)
        for item, person in zip(items, persons):
            mask = loaded.annToMask(item).astype(bool)
            assert (mask & person.mask).sum() / (mask | person.mask).sum() > 0.9
            assert item['area'] == person.area and item['bbox'] == person.bbox.tolist()


def test_annotations_follow_the_coco_format(dataset):
    out, data = dataset
    assert [image['id'] for image in data['images']] == list(range(20))
    assert [item['id'] for item in data['annotations']] == list(
        range(1, len(data['annotations']) + 1)
    )
    for item in data['annotations']:
        flags = item['keypoints'][2::3]
        assert item['num_keypoints'] == sum(flag > 0 for flag in flags) and len(flags) == 17
        assert item['iscrowd'] == 0 and item['category_id'] == 1
    (category,) = data['categories']
    assert category['keypoints'] == list(LAYOUTS['coco'].names)
    assert [16, 14] in [edge[::-1] for edge in category['skeleton']]
    assert data['info']['settings'] == json.loads(json.dumps(SMALL.as_dict()))
    assert data['info']['seed'] == 3 and data['info']['split'] == 'val'


def test_pictures_are_there_with_the_size_promised(dataset):
    out, data = dataset
    for image in data['images']:
        picture = cv2.imread(str(out / 'images/val' / image['file_name']))
        assert picture.shape == (image['height'], image['width'], 3) == (96, 96, 3)


def test_png_files_hold_the_very_picture(tmp_path):
    write_dataset(tmp_path, SMALL, 1, seed=3, suffix='.png')
    picture = cv2.imread(str(tmp_path / 'images/train/000000.png'))
    assert np.array_equal(picture, draw_crowd(SMALL, 3, 0)[0])


def test_no_annotations_when_a_picture_fails(tmp_path, monkeypatch):
    def fail(settings, seed, index, split):
        if index == 2:
            raise RuntimeError('no ink')
        return draw_crowd(settings, seed, index, split)

    monkeypatch.setattr('pinet_mm.crowdsynth.dataset.draw_crowd', fail)
    with pytest.raises(RuntimeError, match='no ink'):
        write_dataset(tmp_path, SMALL, 3)
    assert not (tmp_path / 'annotations').exists()


def test_statistics_by_hand():
    images = [dict(id=0, crowdIndex=0.25, height=100), dict(id=1, crowdIndex=1.0, height=50)]
    people = [
        dict(image_id=0, person_height=50.0, keypoints=[0, 0, 0, 1, 1, 2]),
        dict(image_id=1, person_height=40.0, keypoints=[1, 1, 1, 1, 1, 2]),
    ]
    found = summarize(images, people)
    assert found['crowd_index_histogram'] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert found['crowd_index_mean'] == 0.625 and found['height_share_mean'] == 0.65
    assert found['height_share_histogram'] == [0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0]
    assert found['persons_histogram'] == [0, 2]
    assert found['visibility_shares'] == {'0': 0.25, '1': 0.25, '2': 0.5}
    assert (found['images'], found['persons']) == (2, 2)


def test_the_preview_draws_on_every_second_picture():
    sheet = draw_preview(SMALL, seed=3, rows=2, columns=2)
    assert sheet.shape == (192, 192, 3)
    plain = draw_crowd(SMALL, 3, 0)[0], draw_crowd(SMALL, 3, 1)[0]
    assert np.array_equal(sheet[:96, :96], plain[0])
    assert not np.array_equal(sheet[:96, 96:], plain[1])


def test_the_tool_writes_what_its_options_say(tmp_path, capsys):
    main(
        [
            str(tmp_path),
            '--images',
            '2',
            '--size',
            '80',
            '64',
            '--keypoints',
            'crowdpose',
            '--split',
            'test',
            '--preview',
            str(tmp_path / 'sheet.png'),
        ]
    )
    data = json.loads((tmp_path / 'annotations/test.json').read_text())
    assert len(data['categories'][0]['keypoints']) == 14 and data['images'][0]['width'] == 80
    assert (tmp_path / 'sheet.png').stat().st_size > 1000
    assert 'crowd_index_mean' in capsys.readouterr().out


# ---- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'arguments, error, message',
    [
        (dict(size=256), TypeError, r'size must be two integers, got 256'),
        (
            dict(size=(16, 64)),
            ValueError,
            r'size must be two integers in \[32, 8192\], got \(16, 64\)',
        ),
        (dict(persons=(3, 2)), ValueError, r'persons must be \(lowest, highest\), got \(3, 2\)'),
        (dict(persons=(0, 2)), ValueError, r'persons must be two integers in \[1, 100\]'),
        (dict(height=(0.5, True)), TypeError, r'height must be two numbers, got'),
        (
            dict(crowd_index=(0, 1.5)),
            ValueError,
            r'crowd_index must be two numbers in \[0.0, 1.0\]',
        ),
        (dict(poses='standing'), TypeError, r"poses must be a tuple of names, got 'standing'"),
        (
            dict(poses=('flying',)),
            ValueError,
            r"poses must be one or more of \['standing'.*'flying'",
        ),
        (dict(views=()), ValueError, r'views must be one or more of .* got \(\)'),
        (
            dict(keypoints='mpii'),
            ValueError,
            r"keypoints must be one of \['coco', 'crowdpose'\], got",
        ),
        (dict(occluders=1), TypeError, r'occluders must be True or False, got 1'),
        (dict(min_visible=1), ValueError, r'min_visible must be a number in \[0, 1\), got 1'),
    ],
)
def test_settings_say_what_is_wrong(arguments, error, message):
    with pytest.raises(error, match=message):
        CrowdSettings(**arguments)


@pytest.mark.parametrize(
    'call, message',
    [
        (lambda: draw_crowd(SMALL, -1, 0), 'seed must be a non-negative integer, got -1'),
        (lambda: draw_crowd(SMALL, 0, 0.5), 'index must be a non-negative integer, got 0.5'),
        (lambda: draw_crowd(SMALL, 0, 0, 'dev'), "split must be one of .*, got 'dev'"),
        (
            lambda: write_dataset('x', SMALL, 0),
            'num_images must be an integer of at least 1, got 0',
        ),
        (
            lambda: write_dataset('x', SMALL, 1, workers=0),
            'workers must be an integer of at least 1',
        ),
        (
            lambda: write_dataset('x', SMALL, 1, suffix='.gif'),
            "suffix must be one of .*, got '.gif'",
        ),
    ],
)
def test_requests_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_settings_cannot_be_replaced_by_a_dict():
    with pytest.raises(TypeError, match='settings must be a CrowdSettings, got dict'):
        draw_crowd({}, 0, 0)


def test_poses_and_views_are_obeyed():
    settings = CrowdSettings(size=(64, 64), poses=('sitting', 'lying'), views=('back',))
    persons = [person for index in range(10) for person in draw_crowd(settings, 0, index)[1]]
    assert {person.pose for person in persons} == {'sitting', 'lying'}
    assert {person.view for person in persons} == {'back'}
    assert all(isinstance(person, Person) for person in persons)
