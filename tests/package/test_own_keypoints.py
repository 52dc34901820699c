"""One's own keypoints: what docs/custom_dataset.md says, done as it says, with a narrow network."""

import glob
import json
import re
import shlex
import shutil
from pathlib import Path

from pinet_mm import api
from pinet_mm.cli import browse, check_dataset, infer, test, train
from pinet_mm.configs import read_config
from pinet_mm.models.codec import build_layout

import cv2
import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from tests.helpers.animals import NAMES, SIZE, follow_page, write_export
from tests.helpers.toys import hrnet_config

TOOLS = dict(browse=browse, check_dataset=check_dataset, infer=infer, test=test, train=train)
# The page's config with a network of milliseconds, for two epochs. Nothing else is other.
NARROW = f"""
model = dict(
    backbone=dict(_delete_=True, **{hrnet_config()!r}),
    neck=dict(_delete_=True, type='FeatureMapProcessor', concat=True),
    head=dict(in_channels=60, decoder=codec),
)
for loader in (train_dataloader, val_dataloader):
    loader['num_workers'] = 0
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=2)
custom_hooks = [dict(type='SyncBuffersHook')]
"""


def _run(line):
    """Run a line of the page in this process, its patterns expanded as a shell does."""
    words = shlex.split(line)
    assert words[0] == 'python' and Path(words[1]).parent == Path('tools')
    words = [found for word in words[2:] for found in (sorted(glob.glob(word)) or [word])]
    return TOOLS[Path(line.split()[1]).stem].main(words)


@pytest.fixture(scope='module')
def followed(tmp_path_factory):
    """Return the folder in which the page was followed up to and with the training."""
    folder = tmp_path_factory.mktemp('own')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        page = follow_page(folder, train=48, val=12)
        with open('configs/mouse.py', 'a') as file:
            file.write(NARROW)
        (shell,) = re.findall(r'```shell\n([^`]*tools/browse[^`]*)```', page)
        lines = shell.splitlines()
        for line in lines[:3]:
            assert not _run(line)
    return folder, lines[3:]


@pytest.mark.slow
def test_the_page_is_followed_from_an_export_to_poses(followed, monkeypatch, capsys):
    folder, lines = followed
    monkeypatch.chdir(folder)
    assert len(list(Path('browse').glob('*.jpg'))) == 8
    # two epochs may find nobody: what is evaluated then is the checkpoint of the last
    if not glob.glob('work_dirs/mouse/best_coco_AP_*.pth'):
        shutil.copy('work_dirs/mouse/epoch_2.pth', 'work_dirs/mouse/best_coco_AP_epoch_2.pth')
    for line in lines:
        _run(line)
    assert 'coco/AP' in capsys.readouterr().out
    found = json.loads(Path('poses/predictions.json').read_text())
    assert found['keypoint_names'] == list(NAMES) and len(found['images']) == 12


@pytest.mark.slow
def test_the_checkpoint_brings_its_metainfo_to_any_folder(followed, tmp_path, monkeypatch):
    folder, _ = followed
    monkeypatch.chdir(tmp_path)
    checkpoint = folder / 'work_dirs/mouse/epoch_2.pth'
    model = api.load(folder / 'configs/mouse.py', checkpoint, device='cpu')
    (result,) = api.predict(model, np.zeros((SIZE, SIZE, 3), np.uint8))
    assert result.names == list(NAMES)
    assert model.head.layout.parts == ((0, 1, 2), (3, 4))
    assert result.sigmas == pytest.approx([0.05] * 5)


@pytest.mark.slow
def test_it_is_evaluated_from_any_folder_as_well(followed, tmp_path, monkeypatch, capsys):
    folder, _ = followed
    monkeypatch.chdir(tmp_path)
    data = folder / 'data' / 'mouse'
    annotations = data / 'annotations' / 'person_keypoints_val.json'
    words = ('--ann', str(annotations), '--img', str(data / 'images' / 'val'))
    checkpoint = folder / 'work_dirs/mouse/epoch_2.pth'
    test.main([str(folder / 'configs/mouse.py'), str(checkpoint), *words])
    assert 'coco/AP' in capsys.readouterr().out


@pytest.mark.slow
def test_the_log_says_which_parts_were_derived(followed):
    folder, _ = followed
    logs = [log.read_text() for log in folder.glob('work_dirs/mouse/*/*.log')]
    said = (
        '5 keypoints; parts, derived from the skeleton: nose (nose, left_ear, right_ear), neck '
        '(neck, tail)'
    )
    assert any(said in log for log in logs)


def test_the_config_of_the_page_has_one_input_size_and_parts_from_the_skeleton(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    follow_page(tmp_path, train=1, val=1)
    assert len([line for line in Path('configs/mouse.py').read_text().splitlines() if line]) <= 26
    config = read_config('configs/mouse.py', {'codec.input_size': (128, 192)})
    text = config.pretty_text
    assert '256' not in re.findall(r'input_size=\(\s*(\d+)', text)
    assert config.codec.heatmap_size == (32, 48)
    assert build_layout(config.codec.layout).part_names == ('nose', 'neck')


def test_the_drawn_mice_lie_where_they_are_annotated(tmp_path):
    write_export(tmp_path, 'train', 2)
    data = json.loads((tmp_path / 'annotations/person_keypoints_train.json').read_text())
    first = data['annotations'][0]
    name = next(each for each in data['images'] if each['id'] == first['image_id'])['file_name']
    image = cv2.imread(str(tmp_path / 'images/train' / name)).astype(int)
    nose, left, right = np.reshape(first['keypoints'], (5, 3))[:3, :2].round().astype(int)
    assert image[nose[1], nose[0], 2] > 180  # pink
    assert image[left[1], left[0], 2] > image[left[1], left[0], 0] + 60  # red
    assert image[right[1], right[0], 0] > image[right[1], right[0], 2] + 60  # blue


# ---- 133 keypoints -----------------------------------------------------------------------------

WHOLE = """
_base_ = ['configs/_base_/runtime.py', 'configs/_base_/data.py']
from pinet_mm.datasets import pipelines

metainfo = 'configs/_base_/datasets/coco_wholebody.py'
codec = dict(pipelines.of_size(_base_.codec, (64, 64)), layout=dict(metainfo=metainfo))
def files(pipeline):
    return dict(type='CocoDataset', metainfo=dict(from_file=metainfo), ann_file='whole.json',
                data_prefix=dict(img='images/'), pipeline=pipeline)
train_dataloader = dict(batch_size=2, num_workers=0, dataset=files(pipelines.train(codec)))
val_dataloader = dict(batch_size=2, num_workers=0, dataset=files(pipelines.test(codec)))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='whole.json')
test_evaluator = val_evaluator
model = dict(
    type='PINet',
    data_preprocessor=dict(type='PoseDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3),
    backbone={backbone!r},
    neck=dict(type='FeatureMapProcessor', concat=True),
    head=dict(type='PINetHead', in_channels=60, decoder=codec,
              refinement=dict(type='PoseRefinement', num_layers=1)),
    test_cfg=dict(part_thr=0.0, max_per_part=2),
)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)
default_hooks = dict(checkpoint=dict(save_best='auto', rule='greater'))
"""


def _write_whole(folder):
    """Write two images of a person of 133 keypoints."""
    with pytest.warns(UserWarning, match='metainfo'):
        info = parse_pose_metainfo(dict(from_file='configs/_base_/datasets/coco_wholebody.py'))
    names = [info['keypoint_id2name'][i] for i in range(133)]
    rng = np.random.default_rng(0)
    images, annotations = [], []
    (folder / 'images').mkdir()
    for number in (1, 2):
        cv2.imwrite(str(folder / f'images/{number}.jpg'), np.full((64, 64, 3), 90, np.uint8))
        images.append(dict(id=number, file_name=f'{number}.jpg', width=64, height=64))
        points = np.hstack([rng.uniform(8, 56, (133, 2)), np.full((133, 1), 2)])
        annotations.append(
            dict(
                id=number,
                image_id=number,
                category_id=1,
                iscrowd=0,
                area=2000.0,
                bbox=[8, 8, 48, 48],
                num_keypoints=133,
                keypoints=points.ravel().tolist(),
            )
        )
    category = dict(id=1, name='person', keypoints=names, skeleton=[])
    document = dict(images=images, annotations=annotations, categories=[category])
    (folder / 'whole.json').write_text(json.dumps(document))


@pytest.mark.slow
def test_133_keypoints_train_and_evaluate(tmp_path, monkeypatch, capsys):
    (tmp_path / 'configs').symlink_to(Path(__file__).parents[2] / 'configs')
    (tmp_path / 'whole.py').write_text(WHOLE.replace('{backbone!r}', repr(hrnet_config())))
    _write_whole(tmp_path)
    monkeypatch.chdir(tmp_path)
    train.main(['whole.py'])
    assert 'coco/AP: ' in capsys.readouterr().out
    assert Path('work_dirs/whole/epoch_1.pth').exists()
