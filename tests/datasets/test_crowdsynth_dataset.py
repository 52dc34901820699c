"""Training images drawn on request: the same ones, whichever process draws them, and when."""

import json

from pinet_mm import CrowdSynthDataset, EpochSampler
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd, write_dataset

import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from mmpose.datasets.datasets import CocoDataset
from mmpose.registry import TRANSFORMS
from torch.utils.data import DataLoader

from tests.helpers import toys  # noqa: F401  (repairs MMPose, so it comes before everything that imports it)
from tests.helpers.toys import build_in_mmpose

SMALL = dict(size=(48, 48), persons=(1, 2))


class Jitter:
    """A pipeline's random step: it only notes what it drew."""

    def __call__(self, info):
        info.pop('dataset')
        return dict(number=info['sample_idx'], sum=int(info['img'].sum()), luck=np.random.rand())


def make_dataset(length=6, pipeline=(), **options):
    return CrowdSynthDataset(
        length, dict(SMALL, **options.pop('settings', {})), pipeline=list(pipeline), **options
    )


def epochs(dataset, workers, count=2, **loader):
    """Return what a loader yields in each epoch, as MMEngine's loops drive it."""
    sampler = EpochSampler(dataset, shuffle=True, seed=3)
    loader = DataLoader(
        dataset,
        batch_size=2,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=pseudo_collate,
        **loader,
    )
    found = []
    for epoch in range(count):
        sampler.set_epoch(epoch)
        found.append(
            [
                (number, total, luck)
                for batch in loader
                for number, total, luck in zip(batch['number'], batch['sum'], batch['luck'])
            ]
        )
    return found


@pytest.mark.parametrize('workers, context', [(2, 'fork'), (1, 'spawn')])
def test_workers_draw_what_one_process_draws(workers, context):
    dataset = make_dataset(pipeline=[Jitter()])
    alone = epochs(dataset, 0)
    assert epochs(dataset, workers, multiprocessing_context=context) == alone
    first, second = ([number for number, _, _ in epoch] for epoch in alone)
    assert sorted(first) == list(range(6)) and sorted(second) == list(range(6, 12))
    assert len({total for epoch in alone for _, total, _ in epoch}) == 12
    assert len({luck for epoch in alone for _, _, luck in epoch}) == 12


def test_two_processes_share_an_epoch(monkeypatch):
    dataset = make_dataset(pipeline=[Jitter()])
    whole = epochs(dataset, 0)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
        shares.append(epochs(dataset, 0))
    for epoch in range(2):
        # ranks take turns in the order of one process
        turns = [item for pair in zip(shares[0][epoch], shares[1][epoch]) for item in pair]
        assert turns == whole[epoch]


def test_index_i_is_image_i_of_the_stream():
    dataset = make_dataset(seed=5, split='val')
    for index in (0, 4, 17):
        image, persons = draw_crowd(dataset.settings, 5, index, 'val')
        info = dataset[index]
        assert np.array_equal(info['img'], image)
        points = np.stack([person.keypoints for person in persons])
        assert np.allclose(info['keypoints'], points[..., :2], atol=0.006)
        assert np.array_equal(info['keypoints_visible'], np.minimum(points[..., 2], 1))
        assert info['area'].tolist() == [person.area for person in persons]
    assert len(dataset) == 6


def test_drawing_leaves_the_global_generator_alone():
    dataset = make_dataset(pipeline=[Jitter()])
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    dataset[3]
    assert np.random.rand() == expected


def test_a_record_is_that_of_mmposes_dataset_on_the_same_images(tmp_path):
    write_dataset(tmp_path, CrowdSettings(**SMALL), 6, suffix='.png')
    disk = CocoDataset(
        data_mode='bottomup',
        data_root=str(tmp_path),
        pipeline=[],
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/train/'),
    )
    drawn = make_dataset()
    numbers = [info['img_id'] for info in (disk[i] for i in range(len(disk)))]
    for place, number in enumerate(numbers):
        stored, live = disk[place], drawn[number]
        assert set(live) - set(stored) == {'img'} and set(stored) <= set(live)
        for key in (
            'bbox',
            'keypoints',
            'keypoints_visible',
            'area',
            'num_keypoints',
            'iscrowd',
            'flip_indices',
            'category_id',
        ):
            assert np.array_equal(live[key], stored[key]), key
        assert live['crowd_index'] == pytest.approx(stored['crowd_index'], abs=1e-4)


@pytest.mark.parametrize('keypoints, count', [('coco', 17), ('crowdpose', 14)])
def test_metainfo_follows_the_keypoints(keypoints, count):
    dataset = make_dataset(settings=dict(keypoints=keypoints))
    assert dataset.metainfo['num_keypoints'] == count == dataset[0]['keypoints'].shape[1]
    assert dataset.metainfo['dataset_name'] == keypoints
    flipped = np.array(dataset.metainfo['flip_indices'])
    assert np.array_equal(flipped[flipped], np.arange(count))


def test_mmposes_loader_takes_the_image_as_it_is():
    step = build_in_mmpose(TRANSFORMS, dict(type='LoadImage'))
    info = make_dataset(pipeline=[step])[2]
    assert info['img_shape'] == info['ori_shape'] == (48, 48)
    assert np.array_equal(info['img'], draw_crowd(CrowdSettings(**SMALL), 0, 2)[0])


def test_an_image_without_keypoints_is_drawn_anew(monkeypatch):
    asked = []

    def draw(settings, seed, index, split):
        asked.append(index)
        image, persons = draw_crowd(settings, seed, index, split)
        return image, persons if index > 2**40 else []

    monkeypatch.setattr('pinet_mm.datasets.drawn.draw_crowd', draw)
    assert len(make_dataset()[1]['keypoints']) > 0
    assert asked == [1, 1 + 2**48]


def test_settings_that_draw_nobody_are_refused(monkeypatch):
    asked = []

    def draw(settings, seed, index, split):
        asked.append(index)
        if len(asked) > 1000:
            pytest.fail('still drawing')
        return draw_crowd(settings, seed, 0, split)[0], []

    monkeypatch.setattr('pinet_mm.datasets.drawn.draw_crowd', draw)
    message = r'must draw people with keypoints; found none in 100 images of CrowdSettings\(size='
    with pytest.raises(ValueError, match=message):
        make_dataset()[1]
    assert len(asked) == len(set(asked)) == 100


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(length=0), 'length must be an integer of at least 1, got 0'),
        (dict(split='dev'), r"split must be one of \['train', 'val', 'test'\], got 'dev'"),
        (dict(test_mode=True), 'CrowdSynthDataset is for training: evaluation needs an annotation'),
        (dict(settings=dict(keypoints='mpii')), 'keypoints must be one of'),
    ],
)
def test_requests_say_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        make_dataset(**options)


def test_settings_survive_the_json_of_a_dataset(tmp_path):
    path, _ = write_dataset(tmp_path, CrowdSettings(**SMALL), 1)
    settings = json.loads(path.read_text())['info']['settings']
    assert CrowdSynthDataset(3, settings).settings == CrowdSettings(**SMALL)
