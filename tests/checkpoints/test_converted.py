"""Converted checkpoints run in MMPose: its inferencer and its evaluation."""

import json
import pickle
from pathlib import Path

from pinet_mm import api, checkpoints, runner
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd

import cv2
import numpy as np
import pytest
import torch
from mmpose.apis import MMPoseInferencer

from tests.helpers.layouts import LAYOUTS, assert_same
from tests.helpers.narrow import SIZES, narrow_config

# --- what a user does with the result ------------------------------------------------------------


@pytest.fixture(
    params=[('coco', '.pth'), ('crowdpose', '.safetensors')], ids=lambda param: ''.join(param)
)
def converted(request, weights, convert, tmp_path, monkeypatch):
    """Dataset and converted checkpoint, in a folder with a config and an image of three people."""
    dataset, suffix = request.param
    torch.save(LAYOUTS['training'](weights[dataset]), tmp_path / 'release.pth.tar')
    convert(tmp_path / 'release.pth.tar', tmp_path / f'pinet{suffix}')
    settings = CrowdSettings(size=(150, 100), persons=(3, 3))
    cv2.imwrite(str(tmp_path / '7.png'), draw_crowd(settings, seed=0, index=0)[0])
    monkeypatch.chdir(tmp_path)
    config = narrow_config(dataset)
    config.model.backbone.init_cfg = None
    return dataset, f'pinet{suffix}', config


def in_order(keypoints, scores):
    """Keypoints and scores of people (N, K, 3), ordered by the first."""
    people = np.concatenate((keypoints, np.asarray(scores)[..., None]), axis=-1)
    return people[np.lexsort(people[:, 0].T)]


def test_the_inferencer_needs_nothing_else(converted, weights):
    dataset, checkpoint, config = converted
    # The metainfo must come from the checkpoint, for this config has none to offer.
    config.train_dataloader = config.val_dataloader = None
    config.dump('config.py')
    inferencer = MMPoseInferencer(pose2d='config.py', pose2d_weights=checkpoint, device='cpu')
    found = next(inferencer('7.png'))['predictions'][0]
    model = api.load('config.py', checkpoint, 'cpu')
    (sample,) = api.predict(model, ['7.png'])
    wanted = sample.pred_instances
    assert len(found) == len(wanted) > 3
    np.testing.assert_allclose(
        in_order(
            [person['keypoints'] for person in found],
            [person['keypoint_scores'] for person in found],
        ),
        in_order(wanted.keypoints, wanted.keypoint_scores),
        atol=1e-3,
    )
    # The network is the release's: its own parameters, read from the model that ran.
    ran = inferencer.inferencer.model
    assert_same(checkpoints.ours_to_release(ran.state_dict()), weights[dataset])
    assert ran.dataset_meta['dataset_name'] == dataset


def test_the_test_tool_finds_the_same_people(converted):
    dataset, checkpoint, config = converted
    k = SIZES[dataset][0]
    person = dict(
        id=1,
        image_id=7,
        category_id=1,
        iscrowd=0,
        area=900.0,
        num_keypoints=k,
        bbox=[9, 9, 60, 60],
        keypoints=[20, 30, 2] * k,
    )
    Path('people.json').write_text(
        json.dumps(
            dict(
                images=[dict(id=7, file_name='7.png', width=150, height=100, crowdIndex=0.5)],
                annotations=[person],
                categories=[dict(id=1, name='person')],
            )
        )
    )
    config.test_dataloader.dataset.update(
        data_root='', ann_file='people.json', data_prefix=dict(img='')
    )
    config.test_dataloader.update(num_workers=0)
    config.test_evaluator.ann_file = 'people.json'
    config.dump('config.py')
    runner.test(runner.TestOptions(config='config.py', checkpoint=checkpoint, dump='found.pkl'))
    found = pickle.loads(Path('found.pkl').read_bytes())[0]['pred_instances']
    (sample,) = api.predict(api.load('config.py', checkpoint, 'cpu'), ['7.png'])
    wanted = sample.pred_instances
    assert len(found['keypoints']) == len(wanted) > 3
    np.testing.assert_allclose(
        in_order(found['keypoints'], found['keypoint_scores']),
        in_order(wanted.keypoints, wanted.keypoint_scores),
        atol=1e-3,
    )
