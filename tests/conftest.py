"""Fixtures that several test files share: small layouts and random crowds with fixed seeds."""

import signal
from typing import NamedTuple

import pinet_mm  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from pinet_mm.method.layouts import PartLayout
from pinet_mm.models import acceleration
from pinet_mm.runner.first_process import RANKS

import numpy as np
import pytest
from mmengine.config import config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from tests.helpers.maps import MAP_SIZE, STRIDE

TOY_NAMES = ('nose', 'left_hand', 'right_hand', 'left_foot', 'right_foot')
TOY_SWAPS = ('', 'right_hand', 'left_hand', 'right_foot', 'left_foot')
TOY_PARTS = dict(
    top=['nose', 'left_hand', 'right_hand'],
    hands=['left_hand', 'right_hand'],
    feet=['left_foot', 'right_foot'],
)
TOY_EDGES = [
    ('nose', 'left_hand'),
    ('nose', 'right_hand'),
    ('nose', 'left_foot'),
    ('nose', 'right_foot'),
]
TOY_SIGMAS = [0.05, 0.06, 0.07, 0.08, 0.09]


class Scene(NamedTuple):
    """N people: keypoints (N, 5, 2) in input pixels, visible (N, 5), areas (N,)."""

    keypoints_in: np.ndarray
    visible: np.ndarray
    area: np.ndarray


@pytest.fixture(scope='session', autouse=True)
def ctrl_c_is_heard():
    """Shells start what runs in the background with Ctrl-C ignored, and Python keeps it so."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Start every test as the only process, whatever an earlier one has left behind."""
    for name in RANKS:  # a run sets LOCAL_RANK
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope='session', autouse=True)
def own_cache(tmp_path_factory):
    """Keep what is read of image files in a folder of this run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PINET_MM_CACHE', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='session', autouse=True)
def plain_config_texts():
    """Write configs as they are: laying them out takes YAPF most of a small training's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, 'FormatCode', lambda text, **_: (text, True))
        yield


@pytest.fixture
def bfloat16(monkeypatch):
    """Compute in bfloat16 wherever the test runs: a CPU without it imitates it."""
    monkeypatch.setattr(acceleration, 'cpu_has_bfloat16', lambda: True)


@pytest.fixture
def without_bfloat16(monkeypatch):
    """Be on a CPU without bfloat16; holds what is warned of."""
    said = []
    monkeypatch.setattr(acceleration, 'cpu_has_bfloat16', lambda: False)
    monkeypatch.setattr(acceleration, 'print_log', lambda text, *_: said.append(text))
    return said


@pytest.fixture(scope='session')
def toy_metainfo():
    """Five keypoints, described as an MMPose dataset file does."""
    return parse_pose_metainfo(
        dict(
            dataset_name='toy',
            keypoint_info={
                i: dict(name=name, id=i, color=[0, 0, 0], type='upper', swap=swap)
                for i, (name, swap) in enumerate(zip(TOY_NAMES, TOY_SWAPS))
            },
            skeleton_info={
                i: dict(link=link, id=i, color=[0, 0, 0]) for i, link in enumerate(TOY_EDGES)
            },
            joint_weights=[1.0] * 5,
            sigmas=TOY_SIGMAS,
        )
    )


@pytest.fixture(scope='session')
def toy_layout(toy_metainfo):
    """The five keypoints in three parts, of which two share keypoints."""
    return PartLayout.from_metainfo(toy_metainfo, TOY_PARTS)


def _crowd(rng):
    middle = rng.uniform((0, 0), np.array(MAP_SIZE) * STRIDE, (6, 1, 2))
    keypoints_in = middle + rng.normal(0, 8, (6, 5, 2))
    return Scene(keypoints_in, np.ones((6, 5)), rng.uniform(40, 4000, 6))


def _outside(rng):
    scene = _crowd(rng)
    return scene._replace(keypoints_in=scene.keypoints_in * 1.8 - 50)


def _unlabeled(rng):
    return _crowd(rng)._replace(visible=rng.integers(0, 3, (6, 5)) * rng.integers(0, 2, (6, 1)))


def _coinciding(rng):
    # Whole map pixels, mirrored about one center: many pixels at exactly the radius.
    arm = rng.integers(-8, 9, (5, 5, 2)) * STRIDE
    arm[:, [2, 4]] = -arm[:, [1, 3]]
    arm[:, 0] = 0
    center = np.array([12, 10]) * STRIDE
    areas = rng.permutation([300.0, 500.0, 700.0, 900.0, 1100.0])
    return Scene((center + arm).astype(float), rng.integers(0, 2, (5, 5)), areas)


def _equal_areas(rng):
    scene = _coinciding(rng)
    shift = rng.integers(-1, 2, (5, 1, 2)) * STRIDE
    areas = rng.choice([400.0, 800.0], 5)
    return Scene(scene.keypoints_in + shift, scene.visible, areas)


def _nobody(rng):
    return Scene(np.zeros((0, 5, 2)), np.zeros((0, 5)), np.zeros(0))


_SCENES = dict(
    crowd=_crowd,
    outside=_outside,
    unlabeled=_unlabeled,
    coinciding=_coinciding,
    equal_areas=_equal_areas,
    nobody=_nobody,
)


@pytest.fixture(
    params=[(name, seed) for name in _SCENES for seed in range(1 if name == 'nobody' else 5)],
    ids=lambda param: f'{param[0]}-{param[1]}',
)
def scene(request):
    """One random scene for the toy layout on a map of `MAP_SIZE` (w, h) at `STRIDE`."""
    name, seed = request.param
    return _SCENES[name](np.random.default_rng(seed))
