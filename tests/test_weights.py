"""The weights that the package ships: small, loaded by name, and good at what they are for."""

import numpy as np
import pytest
import torch

from pinet_mm import api
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd

FILES = sorted(api.WEIGHTS.glob('*.pth'))


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_shipped_files_are_small_and_hold_no_code(file):
    assert file.stat().st_size <= 10e6
    content = torch.load(file, weights_only=True)
    assert content.keys() == {'meta', 'state_dict'}
    assert len(content['meta']['dataset_meta']['keypoint_id2name']) == 17
    for value in content['state_dict'].values():
        assert value.isfinite().all()


def test_the_default_model_finds_held_out_people():
    """Most seen keypoints of people seen whole lie within a tenth of their height."""
    settings = CrowdSettings(size=(128, 128), persons=(2, 4), height=(0.7, 1.0))
    crowds = [draw_crowd(settings, seed=0, index=i, split='test') for i in range(12)]
    model = api.load(device='cpu')
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
