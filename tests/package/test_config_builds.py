"""What the configs describe is built: datasets, metrics, pipelines, models."""

import json

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpose.registry import DATASETS, METRICS, MODELS, TRANSFORMS

from tests.helpers.leaves import ROOT, codec_of, every_leaf, load
from tests.helpers.toys import build_in_mmpose


def write_dataset(dataset, root, k):
    """One image with one person, where the dataset's config expects it."""
    points = np.random.default_rng(0).uniform(100, 200, (k, 2)).round()
    keypoints = np.concatenate((points, np.full((k, 1), 2)), axis=-1)
    annotation = dict(
        id=1,
        image_id=7,
        category_id=1,
        iscrowd=0,
        area=9000.0,
        num_keypoints=k,
        bbox=[100, 100, 100, 100],
        keypoints=keypoints.flatten().tolist(),
    )
    image = dict(id=7, file_name='7.png', width=300, height=280, crowdIndex=0.5)
    image.update((name, values) for name, values in dataset.get('where', {}).items())
    content = dict(images=[image], annotations=[annotation], categories=[dict(id=1, name='person')])
    for path in (root / dataset.ann_file, root / dataset.data_prefix.img / '7.png'):
        path.parent.mkdir(parents=True, exist_ok=True)
    (root / dataset.ann_file).write_text(json.dumps(content))
    cv2.imwrite(str(root / dataset.data_prefix.img / '7.png'), np.zeros((280, 300, 3), np.uint8))


def build_dataset(config, root, k):
    config = Config(dict(config))
    for number, member in enumerate(config.get('datasets', [config])):
        if member.type != 'CrowdSynthDataset':  # which draws its images
            member.data_root = str(root / str(number))
            write_dataset(member, root / str(number), k)
    return build_in_mmpose(DATASETS, config._cfg_dict)


@every_leaf
def test_training_data_builds(leaf, tmp_path):
    cfg = load(leaf)
    codec = codec_of(leaf)
    k, m, (w, h) = codec.layout.num_keypoints, codec.layout.num_parts, codec.heatmap_size
    dataset = build_dataset(cfg.train_dataloader.dataset, tmp_path, k)
    assert dataset.metainfo['num_keypoints'] == k
    np.testing.assert_array_equal(dataset.metainfo['flip_indices'], codec.layout.flip_indices)
    np.testing.assert_allclose(dataset.metainfo['sigmas'], codec.layout.sigmas)
    np.random.seed(0)
    item = dataset[0]
    assert item['inputs'].shape[1:] == tuple(codec.input_size[::-1])
    fields, labels = item['data_samples'].gt_fields, item['data_samples'].gt_instance_labels
    assert fields.heatmaps.shape == fields.heatmap_weights.shape == (k + m, h, w)
    assert fields.heatmap_mask.shape == (1, h, w) and 'offsets' not in fields
    assert labels.target_offsets.shape == (len(labels), k, 2)
    assert labels.target_weights.shape == (len(labels), k)
    assert labels.target_pixels[:, 0].unique().tolist() == list(range(m))
    assert (labels.target_areas > 0).all()


@every_leaf
def test_test_data_and_metric_build(leaf, tmp_path):
    cfg = load(leaf)
    k = codec_of(leaf).layout.num_keypoints
    dataset = build_dataset(cfg.test_dataloader.dataset, tmp_path, k)
    item = dataset[0]
    # 300 × 280 is enlarged, to a short side of 512 say; sides go up to a multiple of 64.
    short = cfg.get('test_size', cfg.codec.input_size)[0]
    assert item['data_samples'].input_size == (short // 64 * 64 + 64, short)
    assert item['data_samples'].id == [1] and item['data_samples'].img_id == 7
    metric = build_in_mmpose(
        METRICS,
        dict(
            cfg.test_evaluator, ann_file=str(tmp_path / '0' / cfg.test_dataloader.dataset.ann_file)
        ),
    )
    assert metric.iou_type == cfg.test_evaluator.get('iou_type', 'keypoints')


@every_leaf
def test_test_pipeline_runs_from_an_image_alone(leaf):
    cfg = load(leaf)
    pipeline = Compose(
        [build_in_mmpose(TRANSFORMS, step) for step in cfg.test_dataloader.dataset.pipeline]
    )
    item = pipeline(dict(img=np.zeros((90, 60, 3), np.uint8), img_path='none', flip_indices=[0]))
    w, h = item['data_samples'].input_size
    short = cfg.get('test_size', cfg.codec.input_size)[0]
    assert (w, h) == (short, short * 3 // 2 + -short * 3 // 2 % 64)
    assert {'flip_indices', 'input_center', 'input_scale'} <= set(
        item['data_samples'].metainfo_keys()
    )
    assert tuple(item['inputs'].shape[1:]) == (h, w)


def test_the_whole_w32_model_builds():
    cfg = load(ROOT / 'configs' / 'pinet_hrnet_crowdpose.py')
    assert cfg.model.head.in_channels == 480
    model = build_in_mmpose(MODELS, cfg.model).eval()
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 64, 64))
        heatmaps, offsets = model.head(features)
    assert features[-1].shape == (1, 480, 16, 16)
    assert heatmaps.shape == (1, 17, 16, 16) and offsets.shape == (1, 3 * 2 * 14, 16, 16)
    assert len(model.head.refinement.blocks) == 3
    widths = [
        stage.num_channels for stage in (cfg.model.backbone.extra[f'stage{n}'] for n in (2, 3, 4))
    ]
    assert [list(width) for width in widths] == [[32, 64], [32, 64, 128], [32, 64, 128, 256]]


def test_the_whole_w48_model_builds():
    model = build_in_mmpose(MODELS, load(ROOT / 'configs' / 'pinet_hrnet-w48_coco.py').model).eval()
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 64, 64))
    # 48, 96, 192 and 384 channels side by side
    assert features[-1].shape == (1, 720, 16, 16)
    assert model.head.score_branch.in_channels == 720 and len(model.head.refinement.blocks) == 2


def test_the_slim_model_builds(tmp_path):
    path = tmp_path / 'slim.py'
    base = ROOT / 'configs' / '_base_'
    path.write_text(
        f"_base_ = ['{base}/pinet_hrnet-slim.py', '{base}/crowdpose.py']\n"
        'model = dict(head=dict(decoder=_base_.codec))\n'
    )
    model = build_in_mmpose(MODELS, load(path).model).eval()
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 64, 64))
    assert features[-1].shape[1] == model.head.score_branch.in_channels == 240
    assert len(model.head.refinement.blocks) == 1
