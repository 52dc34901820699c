"""The Python interface on a narrow, random network."""

import json
import re
import shutil

from pinet_mm import api
from pinet_mm.errors import InputError, RunError
from pinet_mm.inference import folders, prediction

import cv2
import numpy as np
import pytest
import torch


def assert_same_people(found, wanted):
    for name in ('keypoints', 'keypoint_scores', 'bboxes', 'bbox_scores'):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-2)


def test_batches_of_any_size_and_kind_of_image_agree(model, folder, images):
    singles = list(api.predict(model, images, batch_size=1))
    assert sum(len(sample.pred_instances) for sample in singles) >= 8
    for sample, single in zip(api.predict(model, iter(images), batch_size=3), singles):
        assert_same_people(sample.pred_instances, single.pred_instances)
    files = [folder / 'inputs' / ('sub' if i % 2 else '.') / f'{i // 2}.png' for i in range(5)]
    (alone,) = api.predict(model, str(files[1]))
    assert_same_people(alone.pred_instances, singles[1].pred_instances)
    for sample, single in zip(api.predict(model, files), singles):
        assert_same_people(sample.pred_instances, single.pred_instances)


def test_images_of_one_size_go_through_together(model, images, monkeypatch):
    passes, whole = [], type(model).test_step
    monkeypatch.setattr(
        type(model),
        'test_step',
        lambda self, data: (
            passes.append({tuple(image.shape) for image in data['inputs']}) or whole(self, data)
        ),
    )
    assert len(list(api.predict(model, images * 2, batch_size=2))) == 10
    # The first 8 images have four inputs of 128×128 and two each of two other sizes, the last 2
    # have 128×128 again: 2 + 1 + 1 passes and 1.
    assert all(len(shapes) == 1 for shapes in passes) and len(passes) == 5


@pytest.mark.parametrize(
    'megapixels, ahead',
    [
        # Each image has 300² pixels; 270 000 are exceeded by nothing, but reached by three.
        (0.27, [3, 3, 1]),
        (0.28, [4, 3]),
        (1, [4, 3]),
    ],
)
def test_few_pixels_are_read_ahead(megapixels, ahead, model, monkeypatch):
    monkeypatch.setattr(prediction, 'LOOKAHEAD_PIXELS', megapixels * 1e6)
    monkeypatch.setattr(prediction, 'LOOKAHEAD', 2)
    read = []

    def images():
        for i in range(7):
            read.append(i)
            yield np.full((300, 300, 3), i * 30, np.uint8)

    between = [len(read) for _ in api.predict(model, images(), batch_size=2)]
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


def test_overlays_show_what_fusion_did(folder, model, images, monkeypatch):
    # The random network's poses have little to do with each other.
    monkeypatch.setitem(model.test_cfg, 'oks_thr', 0.0)
    (before,) = api.predict(folders._without_fusion(model), images[:1])
    (after,) = api.predict(model, images[:1])
    centers = 15  # three parts, five proposals each
    assert len(before.pred_instances) == centers > len(after.pred_instances)
    report = api.infer(model, [folder / 'inputs' / '0.png'], folder / 'both', before_fusion=True)
    assert cv2.imread(str(folder / 'both' / '0.jpg')).shape == (508, 960, 3)
    assert report.images == 1 and report.seconds > 0


def test_settings_of_the_config_can_be_replaced(folder):
    options = {'model.test_cfg.part_thr': 1e3}
    model = api.load(str(folder / 'config.py'), str(folder / 'weights.pth'), 'cpu', options)
    (sample,) = api.predict(model, [np.zeros((64, 64, 3), np.uint8)])
    assert sample.pred_instances.keypoints.shape == (0, 17, 2)
    assert api.to_record(sample, 'nobody.jpg') == dict(
        file='nobody.jpg', width=64, height=64, persons=[]
    )


def test_a_record_holds_the_people_best_first(model, images):
    (sample,) = api.predict(model, images[1:2])
    record = api.to_record(sample, 'a.png')
    assert (record['file'], record['width'], record['height']) == ('a.png', 200, 100)
    people = sample.pred_instances
    assert len(record['persons']) == len(people) > 1
    order = sorted(range(len(people)), key=lambda i: -people.bbox_scores[i])
    for person, i in zip(record['persons'], order):
        assert person['score'] == pytest.approx(people.bbox_scores[i], abs=1e-4)
        np.testing.assert_allclose(person['bbox'], people.bboxes[i], atol=0.01)
        x, y, score = np.transpose(person['keypoints'])
        np.testing.assert_allclose(np.stack((x, y), axis=-1), people.keypoints[i], atol=6e-3)
        np.testing.assert_allclose(score, people.keypoint_scores[i], atol=1e-3)
    json.dumps(record)


def test_images_are_found_in_folders(folder):
    inputs = folder / 'inputs'
    found = api.find_images([inputs / '1.png', inputs])
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
        api.find_images([folder / 'inputs', 'gone.jpg'])
    with pytest.raises(FileNotFoundError, match='holds no image; expected .* ending in .bmp'):
        api.find_images([tmp_path])


def test_one_array_is_one_image(model, images):
    (alone,) = api.predict(model, images[1])
    (listed,) = api.predict(model, [images[1]])
    assert_same_people(alone.pred_instances, listed.pred_instances)
    assert len(list(api.predict(model, np.stack(images[:1] * 2)))) == 2, 'a stack of images'


def test_inputs_that_are_no_files_are_named_without_a_warning_of_opencv(model, tmp_path, capfd):
    with pytest.raises(InputError, match='^street.jpg cannot be read: No such file or directory$'):
        next(api.predict(model, ['street.jpg']))
    advice = f"pass its images, for instance api.find_images(['{tmp_path}'])"
    with pytest.raises(InputError, match=f'^{re.escape(f"{tmp_path} is a folder; {advice}")}$'):
        next(api.predict(model, tmp_path))
    assert capfd.readouterr().err == ''


def test_wrong_images_and_weights_are_refused(folder, model, tmp_path, capfd):
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
