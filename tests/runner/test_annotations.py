"""Annotation files of a run: checked before a model is built, mended for loader and evaluator."""

import json

from pinet_mm.errors import InputError, RunError
from pinet_mm.runner import first_process
from pinet_mm.runner.annotations import check_annotations, point_at

import pytest
from mmengine.config import Config

from tests.helpers.changes import NAMES, valid, write_images
from tests.helpers.mutations import CONTENT

METAINFO = dict(
    dataset_name='toy',
    paper_info={},
    joint_weights=[1.0] * 5,
    sigmas=[0.05] * 5,
    keypoint_info={
        i: dict(name=name, id=i, color=[0, 0, 0], type='', swap='') for i, name in enumerate(NAMES)
    },
    skeleton_info={},
)


def mutated(path, name='nothing'):
    data = valid()
    next(each for each in CONTENT if each.name == name).change(data)
    path.write_text(json.dumps(data))
    return data


def config(folder, evaluated='a.json', **evaluator):
    """A config whose loader reads a.json, beside which its images are."""
    write_images(folder)
    return Config(
        dict(
            work_dir=str(folder / 'work'),
            test_dataloader=dict(
                dataset=dict(
                    type='RepeatDataset',
                    dataset=dict(
                        type='CocoDataset',
                        data_root=str(folder),
                        ann_file='a.json',
                        metainfo=METAINFO,
                    ),
                )
            ),
            test_evaluator=[
                dict(type='CocoResults', path='poses.json'),
                dict(type='CocoMetric', ann_file=str(folder / evaluated), **evaluator),
            ],
        )
    )


def files(cfg):
    return [cfg.test_dataloader.dataset.dataset.ann_file, cfg.test_evaluator[1].ann_file]


def test_a_valid_file_stays(tmp_path):
    mutated(tmp_path / 'a.json')
    cfg = config(tmp_path)
    check_annotations(cfg, 'test_dataloader')
    assert files(cfg) == ['a.json', str(tmp_path / 'a.json')]
    assert not (tmp_path / 'work').exists()


def test_loader_and_evaluator_read_the_mended_copy(tmp_path, capsys):
    mutated(tmp_path / 'a.json', 'category has id 9')
    cfg = config(tmp_path)
    check_annotations(cfg, 'test_dataloader')
    loaded, evaluated = files(cfg)
    assert loaded == evaluated and loaded.startswith(str(tmp_path / 'work' / 'annotations' / 'a-'))
    with open(loaded) as file:
        assert json.load(file) == valid()
    assert cfg.test_evaluator[0].category_id == 9


def test_what_loses_data_is_refused(tmp_path):
    mutated(tmp_path / 'a.json', 'annotation ids over and over')
    with pytest.raises(InputError, match=r'a\.json: annotation 1, 2, 1, 2, 1: id: expected an id'):
        check_annotations(config(tmp_path), 'test_dataloader')


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        RunError, match=r'a\.json of test_dataloader does not exist: .* data_root and ann_file '
    ):
        check_annotations(config(tmp_path), 'test_dataloader')


def test_the_category_can_be_named(tmp_path):
    mutated(tmp_path / 'a.json', 'two categories with keypoints')
    with pytest.raises(InputError, match="found 'person'.*'robot'.*--category NAME"):
        check_annotations(config(tmp_path), 'test_dataloader')
    cfg = config(tmp_path)
    check_annotations(cfg, 'test_dataloader', category='robot')
    with open(files(cfg)[0]) as file:
        assert [each['id'] for each in json.load(file)['annotations']] == [2]


def test_crowd_indices_are_asked_for_before_the_run(tmp_path):
    data = mutated(tmp_path / 'a.json')
    del data['images'][0]['crowdIndex']
    (tmp_path / 'a.json').write_text(json.dumps(data))
    check_annotations(config(tmp_path), 'test_dataloader')
    with pytest.raises(InputError, match='image 1: crowdIndex: expected a number'):
        check_annotations(config(tmp_path, iou_type='keypoints_crowd'), 'test_dataloader')


def test_areas_are_needed_where_the_evaluator_uses_them(tmp_path):
    data = valid()
    for each in data['annotations']:
        del each['area']
    (tmp_path / 'a.json').write_text(json.dumps(data))
    without = config(tmp_path, use_area=False)
    check_annotations(without, 'test_dataloader')
    assert files(without)[0] == 'a.json'
    cfg = config(tmp_path)
    check_annotations(cfg, 'test_dataloader')
    with open(files(cfg)[1]) as file:
        areas = [each['area'] for each in json.load(file)['annotations']]
        assert areas == pytest.approx([424.0] * 5)


# COCO's files lie in a folder of this name, as mended copies do.
@pytest.mark.parametrize('folder', ['.', 'annotations'])
def test_an_evaluator_that_lacks_images_of_its_loader(tmp_path, folder):
    (tmp_path / folder).mkdir(exist_ok=True)
    data, lacking = mutated(tmp_path / 'a.json', 'category has id 9'), f'{folder}/b.json'
    data['images'], data['annotations'] = data['images'][:1], data['annotations'][:2]
    with pytest.raises(RunError, match=r'b\.json of an evaluator does not exist'):
        check_annotations(config(tmp_path, lacking), 'test_dataloader')
    (tmp_path / lacking).write_text(json.dumps(data))
    with pytest.raises(
        RunError, match=r'2 images of test_dataloader are not in .*b\.json, .* such as image_id 2'
    ):
        check_annotations(config(tmp_path, lacking), 'test_dataloader')


# --- other data ----------------------------------------------------------------------------------


def test_an_evaluation_is_pointed_at_other_data_by_two_options(tmp_path):
    (tmp_path / 'images').mkdir()
    mutated(tmp_path / 'b.json')
    write_images(tmp_path / 'images')
    cfg = config(tmp_path)
    point_at(cfg, str(tmp_path / 'b.json'), str(tmp_path / 'images'))
    check_annotations(cfg, 'test_dataloader')
    dataset = cfg.test_dataloader.dataset.dataset
    assert (dataset.data_root, dataset.ann_file) == ('', str(tmp_path / 'b.json'))
    assert dataset.data_prefix.img == str(tmp_path / 'images')
    assert cfg.test_evaluator[1].ann_file == str(tmp_path / 'b.json')


def test_the_two_options_go_together(tmp_path):
    cfg = config(tmp_path)
    with pytest.raises(InputError, match='--ann FILE and --img DIR go together; found --ann a.js'):
        point_at(cfg, 'a.json', None)
    with pytest.raises(InputError, match='--img .*gone is not a folder'):
        point_at(cfg, 'a.json', str(tmp_path / 'gone'))
    cfg.test_dataloader.dataset = dict(type='CrowdSynthDataset')
    with pytest.raises(RunError, match='evaluates on one file; found 0'):
        point_at(cfg, 'a.json', str(tmp_path))


def test_images_that_are_not_in_the_folder_are_named_before_a_model_is_built(tmp_path):
    first, *others = [image['file_name'] for image in mutated(tmp_path / 'b.json')['images']]
    (tmp_path / 'images').mkdir()
    for name in others:
        (tmp_path / 'images' / name).touch()
    message = f'lacks 1 of the {1 + len(others)} images of --ann, such as {first}$'
    with pytest.raises(InputError, match=f'^--img {tmp_path / "images"} {message}'):
        point_at(config(tmp_path), str(tmp_path / 'b.json'), str(tmp_path / 'images'))


def test_images_outside_the_folder_are_refused_rather_than_looked_for(tmp_path):
    data = mutated(tmp_path / 'b.json')
    data['images'][0]['file_name'] = '../gone.png'
    (tmp_path / 'b.json').write_text(json.dumps(data))
    cfg = config(tmp_path)
    point_at(cfg, str(tmp_path / 'b.json'), str(tmp_path))
    with pytest.raises(InputError, match=r"image 1: file_name: .* '\.\./gone\.png'; .*--allow-out"):
        check_annotations(cfg, 'test_dataloader')


def test_the_loader_reads_from_outside_only_where_the_check_may(tmp_path):
    mutated(tmp_path / 'a.json')
    cfg = config(tmp_path)
    inner, outer = cfg.test_dataloader.dataset.dataset, cfg.test_dataloader.dataset
    inner.pipeline = [dict(type='LoadImage'), dict(type='PackPoseInputs')]
    nested = dict(type='mmpose.LoadImage')
    outer.pipeline = [dict(type='RandomApply', transforms=[nested], prob=1)]  # CombinedDataset's
    steps = [inner.pipeline[0], outer.pipeline[0].transforms[0]]
    check_annotations(cfg, 'test_dataloader')
    assert not any('allow_outside' in each for each in steps)
    check_annotations(cfg, 'test_dataloader', allow_outside=True)
    assert [each.allow_outside for each in steps] == [True, True]
    assert inner.pipeline[1] == dict(type='PackPoseInputs')


@pytest.mark.parametrize('given', [{}, dict(use_area=False)])
def test_a_plain_coco_file_needs_no_crowd_index(given, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(first_process, 'print_log', lambda text, *_: said.append(text))
    data = mutated(tmp_path / 'b.json')
    for image in data['images']:
        del image['crowdIndex']
    (tmp_path / 'b.json').write_text(json.dumps(data))
    cfg = config(tmp_path, iou_type='keypoints_crowd', **given)
    point_at(cfg, str(tmp_path / 'b.json'), str(tmp_path))
    (line,) = said
    assert 'b.json has no crowdIndex: evaluated by "keypoints", without AP(E)' in line
    check_annotations(cfg, 'test_dataloader')
    metric = cfg.test_evaluator[1]
    assert (metric.iou_type, metric.get('use_area', True)) == ('keypoints', True)


def test_crowd_indices_of_some_images_are_no_plain_file(tmp_path):
    data = mutated(tmp_path / 'b.json')
    del data['images'][0]['crowdIndex']
    (tmp_path / 'b.json').write_text(json.dumps(data))
    cfg = config(tmp_path, iou_type='keypoints_crowd')
    point_at(cfg, str(tmp_path / 'b.json'), str(tmp_path))
    with pytest.raises(InputError, match='image 1: crowdIndex: expected a number'):
        check_annotations(cfg, 'test_dataloader')


# --- other evaluators and datasets ---------------------------------------------------------------


def test_metrics_of_several_datasets_read_the_mended_copy(tmp_path):
    mutated(tmp_path / 'a.json', 'category has id 9')
    cfg = config(tmp_path)
    cfg.test_evaluator = dict(type='MultiDatasetEvaluator', metrics=cfg.test_evaluator, datasets=[])
    check_annotations(cfg, 'test_dataloader')
    poses, metric = cfg.test_evaluator.metrics
    assert metric.ann_file == cfg.test_dataloader.dataset.dataset.ann_file
    assert poses.category_id == 9


def test_results_of_several_categories_keep_the_id_of_their_metric(tmp_path):
    mutated(tmp_path / 'a.json')
    cfg = config(tmp_path)
    cfg.test_dataloader.dataset.dataset.type = 'LabeledCocoDataset'
    check_annotations(cfg, 'test_dataloader')
    assert 'category_id' not in cfg.test_evaluator[0]
