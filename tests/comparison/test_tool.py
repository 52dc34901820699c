"""`compare` from the command line: counts, drawings, files, and its errors."""

import json
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

from pinet_mm import api, comparison
from pinet_mm.comparison import Spec, names_of, sides
from pinet_mm.comparison.drawing import LEGEND_HEIGHT

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from tests.helpers import toys
from tests.helpers.found import META, entry, write_annotations

ROOT = Path(__file__).parents[2]

# --- models --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'first, second, wanted',
    [
        (Spec('x/a.py'), Spec('b.py'), ['a', 'b']),
        (Spec('a.py', 'w/1.pth'), Spec('a.py', 'w/2.pth'), ['a 1', 'a 2']),
        (Spec('a.py', 'v/1.pth'), Spec('a.py', 'w/1.pth'), ['a v/1.pth', 'a w/1.pth']),
        (Spec('a.py', '1.pth'), Spec('a.py'), ['a 1', 'a shipped']),
        (
            Spec('a.py'),
            Spec('a.py', None, {'model.test_cfg.flip_test': False}),
            ['a', 'a flip_test=False'],
        ),
        (Spec('x/a.py', '1.pth'), Spec('y/a.py', '1.pth'), ['a (1)', 'a (2)']),
    ],
)
def test_default_names_differ(first, second, wanted):
    assert names_of([first, second]) == wanted


def test_models_must_have_the_same_keypoints_and_different_names(monkeypatch):
    metas = {'a': META, 'b': dict(META, keypoint_id2name={0: 'nose', 1: 'tail'})}
    monkeypatch.setattr(
        sides, 'load', lambda config, *_: SimpleNamespace(dataset_meta=metas[config])
    )
    with pytest.raises(
        ValueError,
        match=r'the same keypoints; a has 5 \(head, left_hand, .*\), '
        r'b has 2 \(nose, tail\)',
    ):
        comparison.load_sides([Spec('a'), Spec('b')])
    with pytest.raises(ValueError, match='names of the two models must differ; both are X'):
        comparison.load_sides([Spec('a'), Spec('a')], ['X', 'X'])
    first, second = comparison.load_sides([Spec('a'), Spec('a')], None, (0.1, 0.3))
    assert (first.name, first.pose_thr, second.pose_thr) == ('a (1)', 0.1, 0.3)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Images of two sizes, annotations, a config, a checkpoint that finds people at random."""
    path = tmp_path_factory.mktemp('compare')
    (path / 'inputs').mkdir()
    rng = np.random.default_rng(0)
    sizes = dict(a=(128, 128), b=(100, 150), c=(128, 128))
    for name, (height, width) in sizes.items():
        cv2.imwrite(
            str(path / 'inputs' / f'{name}.png'),
            rng.integers(0, 255, (height, width, 3), dtype=np.uint8),
        )
    config = Config.fromfile(ROOT / 'configs' / 'pinet_hrnet-slim_crowdsynth.py')
    config.model = toys.model_config('coco', test_cfg=dict(flip_test=True, max_per_part=5))
    config.model.head.decoder = config.codec
    config.dump(path / 'config.py')
    model = toys.build_in_mmpose(MODELS, config.model).eval()
    toys.awaken(model, torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)))
    torch.save(dict(state_dict=model.state_dict(), meta={}), path / 'weights.pth')
    # The people of a.png are those whom the model finds there; b.png has nobody annotated.
    loaded = api.load(path / 'config.py', path / 'weights.pth', 'cpu')
    (sample,) = api.predict(loaded, [path / 'inputs' / 'a.png'])
    entries = [
        entry(i, pose, np.full(17, 2))
        for i, pose in enumerate(comparison.counted_poses(sample, 0.1).keypoints, 1)
    ]
    assert entries
    images = [
        dict(
            id=7 + i,
            file_name=f'{name}.png',
            height=sizes[name][0],
            width=sizes[name][1],
            crowdIndex=0.5,
        )
        for i, name in enumerate('ab')
    ]
    write_annotations(path / 'truth.json', entries, images)
    return path


def run_compare(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['compare.py', *map(str, arguments)])
    runpy.run_path(str(ROOT / 'tools' / 'compare.py'), run_name='__main__')


def models(folder):
    """The model as it is, and so that it finds nobody."""
    own = ('--model', folder / 'config.py', folder / 'weights.pth')
    return *own, *own, 'model.test_cfg.part_thr=1000.0'


def test_compare_counts_draws_and_writes(folder, monkeypatch, capsys):
    persons = len(json.loads((folder / 'truth.json').read_text())['annotations'])
    for out in ('out', 'out'):  # the second run takes no drawing for an image
        run_compare(
            monkeypatch,
            folder,
            *models(folder),
            '--annotations',
            folder / 'truth.json',
            '--out',
            folder / out,
            '--hardest',
            1,
            '--device',
            'cpu',
        )
    document = json.loads((folder / 'out' / 'comparison.json').read_text())
    names = ['config', 'config part_thr=1000.0']
    assert document['schema'] == comparison.SCHEMA and document['oks_thr'] == 0.5
    assert [model['name'] for model in document['models']] == names
    assert document['models'][1]['cfg_options'] == {'model.test_cfg.part_thr': 1000.0}
    first, second = document['pictures']
    assert first['file'] == str(folder / 'inputs' / 'a.png') and first['persons'] == persons
    assert first['models'] == {
        names[0]: dict(poses=persons, missed=0, found=persons),
        names[1]: dict(poses=0, missed=persons, found=0),
    }
    assert (second['persons'], second['models'][names[1]]['missed']) == (0, 0)
    assert (first['drawing'], second['drawing']) == ('a.jpg', None)
    assert document['left_out'] == [str(folder / 'inputs' / 'c.png')]
    totals = document['totals']
    assert (totals['pictures'], totals['persons']) == (2, persons)
    assert totals['models'][names[1]] == dict(poses=0, missed=persons, found=0)
    assert sorted(file.name for file in (folder / 'out').iterdir()) == [
        'a.jpg',
        'comparison.json',
        'overview.jpg',
    ]
    drawn = cv2.imread(str(folder / 'out' / 'a.jpg'))
    assert drawn.shape == (536 + LEGEND_HEIGHT, 966, 3)
    poses = totals['models'][names[0]]['poses']
    assert capsys.readouterr().out.rstrip().splitlines()[-1] == (
        f'2 images, {persons} people: config found {persons} with {poses} poses; '
        f'config part_thr=1000.0 found 0 with 0 poses; 1 image without annotations left out; '
        f'drawings and comparison.json are in {folder / "out"}'
    )


def test_drawings_that_cannot_be_written_are_said_and_not_named(folder, monkeypatch):
    out = folder / 'full'
    for name in ('a.jpg', 'overview.jpg'):
        (out / name).mkdir(parents=True)  # no file can have this name
    names = r'a.jpg \(Not a file\), overview.jpg \(Not a file\)'
    message = f'^error: 2 images could not be written into .*full: {names}; comparison.json there'
    with pytest.raises(SystemExit, match=message):
        run_compare(monkeypatch, folder / 'inputs', *models(folder), '--out', out)
    document = json.loads((out / 'comparison.json').read_text())
    assert [each['drawing'] for each in document['pictures']] == [None, 'b.jpg', 'c.jpg']


def test_compare_without_annotations(folder, monkeypatch, capsys):
    run_compare(
        monkeypatch,
        folder / 'inputs',
        *models(folder),
        '--names',
        'A',
        'B',
        '--out',
        folder / 'plain',
        '--pose-thr',
        '0.1',
        '0.2',
    )
    document = json.loads((folder / 'plain' / 'comparison.json').read_text())
    assert [model['pose_thr'] for model in document['models']] == [0.1, 0.2]
    assert document['totals']['persons'] is None and document['annotations'] is None
    for image in document['pictures']:
        assert image['models']['A']['poses'] == image['models']['B']['missed'] > 0
        assert image['models']['A']['missed'] == 0 == image['models']['B']['poses']
        assert image['models']['A']['found'] is None
    assert [image['drawing'] for image in document['pictures']] == ['a.jpg', 'b.jpg', 'c.jpg']
    assert 'images: A has' in capsys.readouterr().out


@pytest.mark.parametrize(
    'more, message',
    [
        (
            ('--hardest', '3'),
            'hardest needs annotations, by which images are chosen; found none$',
        ),
        (
            ('--most-different', '0', '--hardest', '3', '--annotations', 'gone.json'),
            'most_different must be at least 1; found 0$',
        ),
        (('--annotations', 'gone.json'), 'the annotation file gone.json does not exist'),
        (('--names', 'A', 'A'), 'names of the two models must differ; both are A'),
    ],
)
def test_compare_says_in_one_line_why_not(folder, monkeypatch, more, message):
    with pytest.raises(SystemExit, match=f'^error: .*{message}'):
        run_compare(monkeypatch, folder / 'inputs', *models(folder), '--out', folder / 'no', *more)
    assert not (folder / 'no').exists()


def test_images_without_annotations_or_outside_are_refused(folder, monkeypatch):
    with pytest.raises(
        SystemExit,
        match=r'error: .*truth.json has none of the 1 images, such as '
        r'c.png',
    ):
        run_compare(
            monkeypatch,
            folder / 'inputs' / 'c.png',
            *models(folder),
            '--annotations',
            folder / 'truth.json',
            '--out',
            folder / 'no',
        )
    with pytest.raises(SystemExit, match='error: all images lie in .*inputs, where'):
        run_compare(monkeypatch, folder / 'inputs', *models(folder), '--out', folder / 'inputs')


@pytest.mark.parametrize(
    'arguments, message',
    [
        (('--model', 'a.py'), 'name two models, --model A --model B; found 1'),
        (
            ('--model', 'a.py', '--model', 'b.py', 'w.pth', 'c.jpg'),
            r'expected KEY=VALUE; found c.jpg \(images come before --model\)',
        ),
    ],
)
def test_wrong_command_lines_are_explained(monkeypatch, capsys, arguments, message):
    with pytest.raises(SystemExit):
        run_compare(monkeypatch, 'x.jpg', *arguments)
    assert re.search(message, capsys.readouterr().err)


def test_one_image_is_not_called_images():
    totals = dict(pictures=1, persons=3, models=dict(a=dict(found=2, poses=4)))
    said = comparison.summary(dict(totals=totals, left_out=['b.jpg']))
    assert said == (
        '1 image, 3 people: a found 2 with 4 poses; 1 image without annotations left out'
    )
