"""Labels in datasets of several members: converters, flips, a batch, the example of the README.

Keypoints are the toys' five, head, left_hand, right_hand, left_foot, right_foot (0 … 4); the parts
of layout 'three' are head (0), hands (1, 2) and feet (3, 4), so that channels of heatmaps are
0 … 4 for keypoints and 5, 6, 7 for parts.
"""

import re
from pathlib import Path

from pinet_mm.datasets.transforms import LabelConverter

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmpose.datasets.transforms.converting import KeypointConverter
from mmpose.registry import DATASETS

from tests.helpers.merged import channels_on, labels, person, write
from tests.helpers.toys import FIVE, build_head, build_in_mmpose, codec_config, five_metainfo


def test_labels_follow_a_converter():
    converter = KeypointConverter(4, [((0, 1), 3), (2, 0), ((1, 3), 1)])
    found = {
        places: LabelConverter(converter)(dict(labeled_keypoints=labels(*places)))[
            'labeled_keypoints'
        ].tolist()
        for places in ((0, 1, 2, 3, 4), (0, 2, 3), (1, 3))
    }
    # Target 0 is source 2; target 1 needs 1 and 3, target 3 needs 0 and 1; nothing is target 2.
    assert found == {
        (0, 1, 2, 3, 4): [True, True, False, True],
        (0, 2, 3): [True] + [False] * 3,
        (1, 3): [False, True, False, False],
    }


def converting(pairs):
    return dict(type='KeypointConverter', num_keypoints=5, mapping=pairs)


POINTS_V = [(64, 16, 2), (40, 40, 2), (80, 40, 2), (48, 96, 2), (72, 96, 2)]
THREE = ['top', 'left', 'right']


def three_metainfo():
    return dict(
        dataset_name='three',
        paper_info={},
        skeleton_info={},
        joint_weights=[1.0] * 3,
        sigmas=[0.1] * 3,
        keypoint_info={
            i: dict(name=name, id=i, color=[0, 0, 0], type='', swap='')
            for i, name in enumerate(THREE)
        },
    )


def write_sources(folder):
    """Two images of five keypoints each, of sources a and b."""
    people = [person(number, number, *POINTS_V) for number in (1, 2)]
    for number in (1, 2):
        cv2.imwrite(str(folder / f'{number}.jpg'), np.full((128, 128, 3), 100, np.uint8))
    return write(folder, people, list(FIVE), sources=('a', 'b'))


def write_three(folder):
    """One image of three keypoints."""
    folder.mkdir()
    cv2.imwrite(str(folder / '1.jpg'), np.full((128, 128, 3), 100, np.uint8))
    return write(folder, [person(1, 1, *POINTS_V[:3])], THREE)


def members_of(folder):
    ours = dict(
        type='LabeledCocoDataset',
        ann_file=write_sources(folder),
        metainfo=five_metainfo(),
        data_prefix=dict(img=f'{folder}/'),
        labeled_keypoints=dict(field='source', a=['head', 'left_hand', 'right_foot']),
    )
    plain = dict(
        type='CocoDataset',
        data_mode='bottomup',
        ann_file=write_three(folder / 'other'),
        metainfo=three_metainfo(),
        data_prefix=dict(img=f'{folder / "other"}/'),
    )
    exchanged = [converting([(0, 0), (1, 2), (2, 1), (3, 4), (4, 3)])]
    return [
        dict(ours, where=dict(source='a')),
        dict(ours, where=dict(source='b')),
        dict(ours, where=dict(source='a'), pipeline=exchanged),
        dict(plain, pipeline=[converting([(0, 0), (1, 3), (2, 4)])]),
    ]


def pipeline_of(flip_prob):
    return [
        dict(type='LoadImage'),
        dict(
            type='RandomCropAffine',
            input_size=(128, 128),
            scale_factor=(1.0, 1.0),
            shift_factor=0.0,
            rotate_factor=0.0,
        ),
        dict(type='RandomInputFlip', prob=flip_prob),
        dict(type='GenerateTarget', encoder=codec_config(sparse_offsets=True)),
        dict(type='ValidHeatmapMask'),
        dict(type='PackPoseInputs'),
    ]


@pytest.fixture
def merged(tmp_path):
    """A combined dataset of the five toy keypoints, and which images its indices are.

    Its members: images 1 (source a: head and hands) and 2 (source b: everything) of one file;
    the same file with left and right exchanged by a converter; and a plain MMPose dataset whose
    converter maps three keypoints to head, left and right foot.
    """
    members = members_of(tmp_path)

    def build(flip_prob):
        combined = dict(
            type='CombinedDataset',
            metainfo=five_metainfo(),
            datasets=members,
            pipeline=pipeline_of(flip_prob),
        )
        return build_in_mmpose(DATASETS, combined)

    return build


@pytest.mark.parametrize(
    'flip_prob, wanted',
    [
        (0.0, [[0, 1, 4, 5, 6, 7], list(range(8)), [0, 2, 3, 5, 6, 7], [0, 3, 4, 5, 7]]),
        (1.0, [[0, 2, 3, 5, 6, 7], list(range(8)), [0, 1, 4, 5, 6, 7], [0, 3, 4, 5, 7]]),
    ],
)
def test_members_of_a_combined_dataset_teach_what_they_label(merged, flip_prob, wanted):
    dataset = merged(flip_prob)
    fields = [dataset[i]['data_samples'].gt_fields for i in range(4)]
    assert [channels_on(dict(heatmap_weights=field.heatmap_weights)) for field in fields] == wanted
    for field, on in zip(fields, wanted):
        # Every labeled keypoint has its person, others none.
        assert np.flatnonzero(field.heatmaps.amax(dim=(1, 2)) > 0.5).tolist() == on


def test_such_a_batch_trains(merged):
    dataset = merged(0.0)
    head = build_head(layers=1)
    samples = pseudo_collate([dataset[i] for i in (0, 3)])['data_samples']
    generator = torch.Generator().manual_seed(0)
    losses = head.loss([torch.randn(2, 12, 32, 32, generator=generator)], samples)
    sum(losses.values()).backward()
    # Neither labels the right hand alone: image 1 the left, the other member none.
    gradient = torch.cat((head.score_branch.bias.grad, head.part_branch.bias.grad))
    assert gradient[2] == 0 and (gradient[[0, 1, 3, 4, 5, 6, 7]] != 0).all()
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_the_example_of_the_docs(tmp_path, monkeypatch):
    root = Path(__file__).parents[2]
    (code,) = re.findall(
        r'```python\n(# merged.*?)```', (root / 'docs/custom_dataset.md').read_text(), flags=re.S
    )
    base = root / 'configs' / 'pinet_hrnet_coco.py'
    (tmp_path / 'config.py').write_text(f'_base_ = [{str(base)!r}]\n{code}')
    settings = Config.fromfile(tmp_path / 'config.py').train_dataloader.dataset
    (tmp_path / 'data' / 'merged').mkdir(parents=True)
    people = [
        person(number, number, *[(i + 50, i + 60, 2) for i in range(17)]) for number in (1, 2, 3, 4)
    ]
    write(tmp_path / 'data' / 'merged', people, sources=('coco', 'mpii', 'lspet', 'mpii'))
    (tmp_path / 'data/merged/merged.json').rename(tmp_path / 'data/merged/train.json')
    (tmp_path / 'data/merged/images').mkdir()
    for number in (1, 2, 3, 4):
        cv2.imwrite(
            str(tmp_path / f'data/merged/images/{number}.jpg'), np.zeros((128, 128, 3), np.uint8)
        )
    metainfo = settings.metainfo.from_file
    settings.metainfo.from_file = str(root / metainfo)
    for step in settings.pipeline:
        if 'encoder' in step:
            step.encoder.layout.metainfo = str(root / metainfo)
    monkeypatch.chdir(tmp_path)
    dataset = build_in_mmpose(DATASETS, settings)
    assert dataset.lens == [5, 3]
    # nose, eyes, ears and the head, which is the first part, after 17 keypoints
    faceless = [channel for channel in range(20) if channel not in (0, 1, 2, 3, 4, 17)]
    for index, wanted in ((0, list(range(20))), (5, faceless), (7, faceless)):
        weights = dataset[index]['data_samples'].gt_fields.heatmap_weights
        assert channels_on(dict(heatmap_weights=weights)) == wanted
