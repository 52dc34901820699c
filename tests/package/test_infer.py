"""`tools/infer.py` and MMPose's inferencer on a narrow, random network; models of MMPose."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import get_type_hints

from pinet_mm import api
from pinet_mm.configs import read_config
from pinet_mm.errors import RunError
from pinet_mm.models.estimator import PINet

import cv2
import numpy as np
import pytest
import torch
from mmpose.apis import MMPoseInferencer
from mmpose.registry import MODELS

from tests.helpers import toys
from tests.helpers.tools import ROOT, run_tool


def test_infer_writes_overlays_and_one_json(folder, model, images, monkeypatch, capsys):
    weights = ('--config', folder / 'config.py', '--checkpoint', folder / 'weights.pth')
    words = (folder / 'inputs', *weights, '--out', folder / 'poses', '--device', 'cpu')
    done = subprocess.run(
        [sys.executable, ROOT / 'tools' / 'infer.py', *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.search(
        rf'^5 images in .* s \(.* (images/s|s per image)\); .* are in {folder / "poses"}',
        done.stdout,
        re.M,
    )
    assert '5/5 [' in done.stderr and 'images/s]' in done.stderr
    document = json.loads((folder / 'poses' / 'predictions.json').read_text())
    assert document['schema'] == api.SCHEMA and document['keypoint_names'][0] == 'nose'
    assert [15, 13] in document['skeleton']
    names = [record['overlay'] for record in document['images']]
    assert names == ['0.jpg', '1.jpg', '2.jpg', '0-1.jpg', '1-1.jpg']
    for name in (*names, 'overview.jpg'):
        assert cv2.imread(str(folder / 'poses' / name)) is not None
    # The second of the five images lies in the sub-folder.
    (single,) = api.predict(model, images[1:2])
    assert document['images'][3] == dict(
        api.to_record(single, str(folder / 'inputs' / 'sub' / '0.png'), 0.1), overlay='0-1.jpg'
    )
    # A second run takes neither its own overlays for images nor stops at what is none.
    broken = folder / 'inputs' / 'broken.jpg'
    broken.write_text('no image')
    for _ in range(2):
        capsys.readouterr()
        left = run_tool(
            monkeypatch, 'infer', folder / 'inputs', *weights, '--out', folder / 'inputs' / 'poses'
        )
    assert left == f'error: 1 input cannot be read: {broken}'
    assert '6/6 [' in capsys.readouterr().err
    second = json.loads((folder / 'inputs' / 'poses' / 'predictions.json').read_text())
    assert second['unreadable'] == [str(broken)]
    assert document['unreadable'] == []
    assert [record['persons'] for record in second['images']] == [
        record['persons'] for record in document['images']
    ]
    # Told at once, before a checkpoint is looked at.
    words = ('gone.jpg', '--checkpoint', 'gone.pth', '--out', folder / 'nothing')
    assert run_tool(monkeypatch, 'infer', *words).startswith('error: gone.jpg does')
    assert not (folder / 'nothing').exists()


def test_mmpose_inferencer_finds_the_same_people(folder, model, images):
    inferencer = MMPoseInferencer(
        pose2d=str(folder / 'config.py'), device='cpu', pose2d_weights=str(folder / 'weights.pth')
    )
    for image, sample in zip(images, api.predict(model, images)):
        result = next(inferencer(image, return_vis=True, draw_heatmap=True, draw_bbox=True))
        people, wanted = result['predictions'][0], sample.pred_instances
        assert len(people) == len(wanted)
        np.testing.assert_allclose(
            [person['keypoints'] for person in people], wanted.keypoints, atol=1e-2
        )
        # Below the image with the people stand the heatmaps.
        h, w = image.shape[:2]
        assert result['visualization'][0].shape == (2 * h, w, 3)


def test_other_models_get_one_image_at_a_time():
    shipped, sizes = api.load('pinet_hrnet-slim_crowdsynth.py', device='cpu'), []

    def test_step(batch):
        sizes.append(len(batch['inputs']))
        return batch['data_samples']

    model = SimpleNamespace(cfg=shipped.cfg, dataset_meta=shipped.dataset_meta, test_step=test_step)
    found = list(api.predict(model, [np.zeros((128, 128, 3), np.uint8)] * 3, batch_size=8))
    assert sizes == [1, 1, 1] and len(found) == 3


@pytest.mark.parametrize('is_wrapped', [False, True])
def test_heads_of_mmpose_get_the_weights_of_the_checkpoint(tmp_path, is_wrapped):
    # CIDHead renames what it takes for weights of before MMPose 1.0.
    config = read_config('cid_hrnet-slim_ablation.py')
    trained = toys.build_in_mmpose(MODELS, config.model)
    for parameter in trained.parameters():
        torch.nn.init.normal_(parameter)
    weights = trained.state_dict()
    saved = torch.nn.DataParallel(trained).state_dict() if is_wrapped else weights
    assert next(iter(saved)).startswith('module.') == is_wrapped
    torch.save(dict(state_dict=saved, meta={}), tmp_path / 'cid.pth')
    model = api.load(config.filename, tmp_path / 'cid.pth', device='cpu')
    for key, value in model.state_dict().items():
        assert torch.equal(value, weights[key]), key
    # A checker of types must let both kinds through.
    promised = get_type_hints(api.load)['return']
    assert isinstance(model, promised) and issubclass(PINet, promised)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(RunError, match='the device cuda:99 cannot be used here: '):
        api.load(device='cuda:99')
