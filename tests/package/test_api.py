"""The Python interface, `tools/infer.py` and MMPose's inferencer on a narrow, random network."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from pinet_mm import api
from pinet_mm.configs import read_config
from pinet_mm.crowdsynth import CrowdSettings, draw_crowd
from pinet_mm.errors import RunError
from pinet_mm.inference import folders, prediction

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.apis import MMPoseInferencer
from mmpose.registry import MODELS

from tests.helpers import toys

ROOT = Path(__file__).parents[2]
SIZES = ((128, 128), (200, 100), (100, 150), (128, 128), (90, 90))


@pytest.fixture(scope='module')
def pictures():
    settings = [CrowdSettings(size=size, persons=(2, 4)) for size in SIZES]
    return [draw_crowd(each, seed=0, index=i)[0] for i, each in enumerate(settings)]


@pytest.fixture(scope='module')
def folder(tmp_path_factory, pictures):
    """Pictures, a config, and a checkpoint that proposes persons at random."""
    path = tmp_path_factory.mktemp('api')
    (path / 'inputs' / 'sub').mkdir(parents=True)
    for i, picture in enumerate(pictures):
        cv2.imwrite(str(path / 'inputs' / ('sub' if i % 2 else '.') / f'{i // 2}.png'), picture)
    (path / 'inputs' / 'notes.txt').write_text('no picture')
    config = Config.fromfile(ROOT / 'configs' / 'pinet_hrnet-slim_crowdsynth.py')
    config.model = toys.model_config('coco', test_cfg=dict(flip_test=True, max_per_part=5))
    config.model.head.decoder = config.codec
    config.dump(path / 'config.py')
    torch.manual_seed(0)
    model = toys.build_in_mmpose(MODELS, config.model).eval()
    toys.awaken(model, torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)))
    torch.save(dict(state_dict=model.state_dict(), meta={}), path / 'weights.pth')
    return path


@pytest.fixture(scope='module')
def model(folder):
    return api.load(folder / 'config.py', str(folder / 'weights.pth'), device='cpu')


def assert_same_people(found, wanted):
    for name in ('keypoints', 'keypoint_scores', 'bboxes', 'bbox_scores'):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-2)


def test_batches_of_any_size_and_kind_of_picture_agree(model, folder, pictures):
    singles = list(api.predict(model, pictures, batch_size=1))
    assert sum(len(sample.pred_instances) for sample in singles) >= 8
    for sample, single in zip(api.predict(model, iter(pictures), batch_size=3), singles):
        assert_same_people(sample.pred_instances, single.pred_instances)
    files = [folder / 'inputs' / ('sub' if i % 2 else '.') / f'{i // 2}.png' for i in range(5)]
    (alone,) = api.predict(model, str(files[1]))
    assert_same_people(alone.pred_instances, singles[1].pred_instances)
    for sample, single in zip(api.predict(model, files), singles):
        assert_same_people(sample.pred_instances, single.pred_instances)


def test_pictures_of_one_size_go_through_together(model, pictures, monkeypatch):
    passes, whole = [], type(model).test_step
    monkeypatch.setattr(
        type(model),
        'test_step',
        lambda self, data: (
            passes.append({tuple(picture.shape) for picture in data['inputs']}) or whole(self, data)
        ),
    )
    assert len(list(api.predict(model, pictures * 2, batch_size=2))) == 10
    # The first 8 pictures have four inputs of 128×128 and two each of two other sizes, the last 2
    # have 128×128 again: 2 + 1 + 1 passes and 1.
    assert all(len(shapes) == 1 for shapes in passes) and len(passes) == 5


@pytest.mark.parametrize(
    'megapixels, ahead',
    [
        # Each picture has 300² pixels; 270 000 are exceeded by nothing, but reached by three.
        (0.27, [3, 3, 1]),
        (0.28, [4, 3]),
        (1, [4, 3]),
    ],
)
def test_few_pixels_are_read_ahead(megapixels, ahead, model, monkeypatch):
    monkeypatch.setattr(prediction, 'LOOKAHEAD_PIXELS', megapixels * 1e6)
    monkeypatch.setattr(prediction, 'LOOKAHEAD', 2)
    read = []

    def pictures():
        for i in range(7):
            read.append(i)
            yield np.full((300, 300, 3), i * 30, np.uint8)

    between = [len(read) for _ in api.predict(model, pictures(), batch_size=2)]
    assert between == [sum(ahead[: i + 1]) for i, count in enumerate(ahead) for _ in range(count)]


def test_weights_are_found_by_the_name_of_the_config(folder, monkeypatch):
    monkeypatch.setattr(api, 'WEIGHTS', folder)
    shutil.copy(folder / 'weights.pth', folder / 'config.pth')
    loaded = api.load(folder / 'config.py', device='cpu').state_dict()
    for name, value in torch.load(folder / 'weights.pth')['state_dict'].items():
        assert torch.equal(loaded[name], value)
    with pytest.raises(
        FileNotFoundError,
        match=r'ships no weights for pinet_hrnet_coco.py: .*: '
        r'config.py, weights.py',
    ):
        api.load('pinet_hrnet_coco.py')


def test_overlays_show_what_fusion_did(folder, model, pictures, monkeypatch):
    # The random network's poses have little to do with each other.
    monkeypatch.setitem(model.test_cfg, 'oks_thr', 0.0)
    (before,) = api.predict(folders._without_fusion(model), pictures[:1])
    (after,) = api.predict(model, pictures[:1])
    centers = 15  # three parts, five proposals each
    assert len(before.pred_instances) == centers > len(after.pred_instances)
    report = api.infer(model, [folder / 'inputs' / '0.png'], folder / 'both', before_fusion=True)
    assert cv2.imread(str(folder / 'both' / '0.jpg')).shape == (508, 960, 3)
    assert report.pictures == 1 and report.seconds > 0


def test_settings_of_the_config_can_be_replaced(folder):
    options = {'model.test_cfg.part_thr': 1e3}
    model = api.load(str(folder / 'config.py'), str(folder / 'weights.pth'), 'cpu', options)
    (sample,) = api.predict(model, [np.zeros((64, 64, 3), np.uint8)])
    assert sample.pred_instances.keypoints.shape == (0, 17, 2)
    assert api.to_record(sample, 'nobody.jpg') == dict(
        file='nobody.jpg', width=64, height=64, persons=[]
    )


def test_a_record_holds_the_persons_best_first(model, pictures):
    (sample,) = api.predict(model, pictures[1:2])
    record = api.to_record(sample, 'a.png')
    assert (record['file'], record['width'], record['height']) == ('a.png', 200, 100)
    people = sample.pred_instances
    assert len(record['persons']) == len(people) > 1
    order = sorted(range(len(people)), key=lambda i: -people.bbox_scores[i])
    for person, i in zip(record['persons'], order):
        assert person['score'] == pytest.approx(people.bbox_scores[i], abs=1e-4)
        np.testing.assert_allclose(person['bbox'], people.bboxes[i], atol=0.01)
        x, y, score = np.transpose(person['keypoints'])
        np.testing.assert_allclose(np.stack((x, y), axis=-1), people.keypoints[i], atol=1e-3)
        np.testing.assert_allclose(score, people.keypoint_scores[i], atol=1e-3)
    json.dumps(record)


def test_pictures_are_found_in_folders(folder):
    inputs = folder / 'inputs'
    found = api.find_pictures([inputs / '1.png', inputs])
    assert [str(file.relative_to(inputs)) for file in found] == [
        '1.png',
        '0.png',
        '1.png',
        '2.png',
        'sub/0.png',
        'sub/1.png',
    ]


def test_missing_inputs_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match='gone.jpg does not exist'):
        api.find_pictures([folder / 'inputs', 'gone.jpg'])
    with pytest.raises(FileNotFoundError, match='holds no image; expected .* ending in .bmp'):
        api.find_pictures([tmp_path])


def test_wrong_pictures_and_weights_are_refused(folder, model, tmp_path, capfd):
    with pytest.raises(ValueError, match=r'an \(H, W, 3\) uint8 array .*; found \(9, 9\) uint8'):
        next(api.predict(model, [np.zeros((9, 9), np.uint8)]))
    with pytest.raises(ValueError, match='batch_size must be at least 1; found 0'):
        next(api.predict(model, [], batch_size=0))
    torch.save(dict(state_dict={'other.weight': torch.zeros(1)}), tmp_path / 'other.pth')
    capfd.readouterr()
    with pytest.raises(RunError, match=r'other.pth does not fit the network:\n  missing backbone'):
        api.load(folder / 'config.py', tmp_path / 'other.pth', 'cpu')
    torch.save({'ppg.heatmap_head.weight': torch.zeros(1)}, tmp_path / 'official.pth')
    with pytest.raises(RunError, match='names of the official implementation: tools/convert'):
        api.load(folder / 'config.py', tmp_path / 'official.pth', 'cpu')
    # mmengine's lists of hundreds of keys do not come before it.
    assert 'backbone.conv1' not in ''.join(capfd.readouterr())
    with pytest.raises(FileNotFoundError, match='nowhere.py is no config file; tried'):
        api.load('nowhere.py', tmp_path / 'other.pth')
    assert api.config_path('pinet_hrnet_coco.py') == api.config_path('pinet_hrnet_coco')
    assert api.config_path('pinet_hrnet_coco').is_file()


def run_infer(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / 'tools' / 'infer.py'), *map(str, arguments)],
        capture_output=True,
        text=True,
    )


def test_infer_writes_overlays_and_one_json(folder, model, pictures):
    weights = ('--config', folder / 'config.py', '--checkpoint', folder / 'weights.pth')
    done = run_infer(folder / 'inputs', *weights, '--out', folder / 'poses', '--device', 'cpu')
    assert done.returncode == 0, done.stderr
    assert re.search(
        rf'^5 pictures in .* s \(.* images/s\); .* are in {folder / "poses"}', done.stdout, re.M
    )
    assert '5/5 [' in done.stderr and 'images/s]' in done.stderr
    document = json.loads((folder / 'poses' / 'predictions.json').read_text())
    assert document['schema'] == api.SCHEMA and document['keypoint_names'][0] == 'nose'
    assert [15, 13] in document['skeleton']
    names = [record['overlay'] for record in document['pictures']]
    assert names == ['0.jpg', '1.jpg', '2.jpg', '0-1.jpg', '1-1.jpg']
    for name in (*names, 'overview.jpg'):
        assert cv2.imread(str(folder / 'poses' / name)) is not None
    # The second of the five pictures lies in the sub-folder.
    (single,) = api.predict(model, pictures[1:2])
    assert document['pictures'][3] == dict(
        api.to_record(single, str(folder / 'inputs' / 'sub' / '0.png')), overlay='0-1.jpg'
    )
    # A second run takes neither its own overlays for pictures nor stops at what is none.
    (folder / 'inputs' / 'broken.jpg').write_text('no picture')
    again = run_infer(folder / 'inputs', *weights, '--out', folder / 'inputs' / 'poses')
    again = run_infer(folder / 'inputs', *weights, '--out', folder / 'inputs' / 'poses')
    assert again.returncode == 1 and again.stderr.endswith(
        f'error: 1 file is no picture that can be read: {folder / "inputs" / "broken.jpg"}\n'
    )
    assert '6/6 [' in again.stderr
    second = json.loads((folder / 'inputs' / 'poses' / 'predictions.json').read_text())
    assert second['unreadable'] == [str(folder / 'inputs' / 'broken.jpg')]
    assert document['unreadable'] == []
    assert [record['persons'] for record in second['pictures']] == [
        record['persons'] for record in document['pictures']
    ]
    # Told at once, before a checkpoint is looked at.
    gone = run_infer('gone.jpg', '--checkpoint', 'gone.pth', '--out', folder / 'nothing')
    assert gone.returncode == 1 and gone.stderr.splitlines()[-1].startswith('error: gone.jpg does')
    assert not (folder / 'nothing').exists()


def test_mmpose_inferencer_finds_the_same_people(folder, model, pictures):
    inferencer = MMPoseInferencer(
        pose2d=str(folder / 'config.py'), device='cpu', pose2d_weights=str(folder / 'weights.pth')
    )
    for picture, sample in zip(pictures, api.predict(model, pictures)):
        result = next(inferencer(picture, return_vis=True, draw_heatmap=True, draw_bbox=True))
        people, wanted = result['predictions'][0], sample.pred_instances
        assert len(people) == len(wanted)
        np.testing.assert_allclose(
            [person['keypoints'] for person in people], wanted.keypoints, atol=1e-2
        )
        # Below the picture with the persons stand the heatmaps.
        h, w = picture.shape[:2]
        assert result['visualization'][0].shape == (2 * h, w, 3)


def test_other_models_get_one_picture_at_a_time():
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


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(RunError, match='the device cuda:99 cannot be used here: '):
        api.load(device='cuda:99')
