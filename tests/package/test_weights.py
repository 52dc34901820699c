"""The weights that the package ships: small, loaded by name, and good at what they are for."""

import json
import subprocess
import sys
from pathlib import Path

from pinet_mm import api
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd, write_dataset

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
FILES = sorted(api.WEIGHTS.glob('*.pth'))


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_shipped_files_are_small_and_hold_no_code(file):
    assert file.stat().st_size <= 10e6
    content = torch.load(file, weights_only=True)
    assert content.keys() == {'meta', 'state_dict'}
    assert len(content['meta']['dataset_meta']['keypoint_id2name']) == 17
    for value in content['state_dict'].values():
        assert value.isfinite().all()


def test_the_drawn_crowd_model_finds_held_out_people():
    """Most seen keypoints of people seen whole lie within a tenth of their height."""
    settings = CrowdSettings(size=(128, 128), persons=(2, 4), height=(0.7, 1.0))
    crowds = [draw_crowd(settings, seed=0, index=i, split='test') for i in range(12)]
    model = api.load('pinet_hrnet-slim_crowdsynth.py', device='cpu')
    near, nobody = [], []
    for sample, (_, persons) in zip(api.predict(model, [crowd[0] for crowd in crowds]), crowds):
        people = sample.pred_instances[sample.pred_instances.bbox_scores >= 0.1]
        for person in persons:
            seen = person.keypoints[:, 2] == 2
            if seen.sum() < 12:
                continue
            offset = people.keypoints[:, seen] - person.keypoints[seen, :2]
            distance = np.linalg.norm(offset, axis=-1) / person.height
            nobody.append(not len(people))
            near.extend((distance < 0.1).mean(axis=-1).max(initial=0, keepdims=True))
    assert len(near) >= 8 and not any(nobody)
    assert np.mean(near) > 0.8


def test_the_default_model_finds_a_face():
    """Nose and eyes of the astronaut, by hand, within a twentieth of the image."""
    skimage = pytest.importorskip('skimage', reason='its astronaut is the photograph')
    photograph = Path(skimage.__file__).parent / 'data' / 'astronaut.png'
    (sample,) = api.predict(api.load(device='cpu'), [photograph])
    people = sample.pred_instances
    best = people.bbox_scores.argmax()
    assert people.bbox_scores[best] >= 0.05
    by_hand = np.array([[226, 125], [247, 103], [204, 101]])  # nose, left eye, right eye
    assert (np.linalg.norm(people.keypoints[best, :3] - by_hand, axis=-1) <= 26).all()


@pytest.mark.slow
def test_the_ap_of_the_model_card(tmp_path):
    """The first 100 of the card's 500 images, by the card's command."""
    settings = CrowdSettings(size=(128, 128), persons=(2, 4), height=(0.7, 1.0))
    annotations, _ = write_dataset(tmp_path, settings, 100, seed=0, split='test')
    done = subprocess.run(
        [
            sys.executable,
            'tools/test.py',
            'configs/pinet_hrnet-slim_crowdsynth.py',
            'pinet_mm/weights/pinet_hrnet-slim_crowdsynth.pth',
            '--work-dir',
            str(tmp_path / 'work'),
            '--out',
            str(tmp_path / 'metrics.json'),
            '--cfg-options',
            f'test_dataloader.dataset.data_root={tmp_path}/',
            f'test_evaluator.ann_file={annotations}',
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    # These weights gave 0.3089 and 0.6261 when they were run for this test (CPU, 2026-11-22); all
    # 500 images gave the card's 0.327 and 0.641. Other arithmetic may move the last people.
    assert metrics['coco/AP'] == pytest.approx(0.309, abs=0.01)
    assert metrics['coco/AP .5'] == pytest.approx(0.626, abs=0.015)
