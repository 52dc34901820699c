"""The study of parts, refinement and fusion: its table, its measures and what it reports."""

import json
from types import SimpleNamespace

from pinet_mm.configs import config_path, read_config
from pinet_mm.crowdsynth import CrowdSettings, write_dataset
from pinet_mm.errors import RunError
from pinet_mm.method.layouts import PartLayout

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import DATASETS, MODELS
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from studies.ablation import Budget, claims, metrics, report, study, testing, training, variants
from tests.helpers.tools import load_tool
from tests.helpers.toys import build_in_mmpose

K = 3
LAYOUT = PartLayout(
    ('a', 'b', 'c'), ('top', 'low'), ((0,), (1, 2)), ((0, 1),), (0, 1, 2), (0.05,) * K
)


def coco(persons, crowding):
    """Annotations of pictures: `persons[i]` holds (K, 3) keypoints of each person of picture i."""
    data = COCO()
    annotations = [
        dict(
            image_id=i,
            category_id=1,
            iscrowd=0,
            area=400.0,
            bbox=[0, 0, 20, 40],
            num_keypoints=int((np.array(points)[:, 2] > 0).sum()),
            keypoints=np.array(points, float).ravel().tolist(),
        )
        for i, picture in enumerate(persons)
        for points in picture
    ]
    for i, annotation in enumerate(annotations):
        annotation['id'] = i + 1
    data.dataset = dict(
        images=[
            dict(id=i, width=100, height=100, crowdIndex=index) for i, index in enumerate(crowding)
        ],
        annotations=annotations,
        categories=[dict(id=1, name='person')],
        info={},
    )
    data.createIndex()
    return data


def entry(picture, points, score):
    points = np.array(points, float)
    return dict(
        image_id=picture,
        category_id=1,
        score=score,
        keypoints=np.column_stack((points[:, :2], np.full(K, score))).ravel().tolist(),
    )


def far_apart(x, seen=(2, 2, 2)):
    return [(x, 10, seen[0]), (x, 30, seen[1]), (x + 4, 30, seen[2])]


def measured(data, entries, folds=1):
    return metrics.measure(data, entries, metrics.read_persons(data, LAYOUT), LAYOUT.sigmas, folds)


# Persons and who is near whom


def test_near_persons_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    persons = [
        [
            np.column_stack((rng.uniform(0, 40, (K, 2)), rng.integers(0, 3, K)))
            for _ in range(rng.integers(1, 5))
        ]
        for _ in range(12)
    ]
    data = coco(persons, [0.5] * len(persons))
    found = metrics.read_persons(data, LAYOUT)
    kept = [
        (i, points)
        for i, picture in enumerate(persons)
        for points in picture
        if (points[:, 2] > 0).any()
    ]
    assert found.pictures.tolist() == [i for i, _ in kept]
    for name, members in dict(top=[0], low=[1, 2], person=[0, 1, 2]).items():
        centers = []
        for _, points in kept:
            labeled = [points[k, :2] for k in members if points[k, 2] > 0]
            centers.append(np.mean(labeled, axis=0) if labeled else (np.nan, np.nan))
        wanted = [
            any(
                b != a
                and kept[b][0] == kept[a][0]
                and np.hypot(*np.subtract(centers[b], centers[a])) < 8
                for b in range(len(kept))
            )
            for a in range(len(kept))
        ]
        assert 0 < sum(wanted) < len(wanted)
        assert found.near[name].tolist() == wanted
    assert found.near['any'].tolist() == (found.near['top'] | found.near['low']).tolist()


def test_shares_of_seen_keypoints_leave_out_unlabeled_ones():
    data = coco([[far_apart(5, (2, 1, 0))], [far_apart(5, (1, 1, 1))]], [0, 1])
    assert metrics.read_persons(data, LAYOUT).seen_shares.tolist() == [0.5, 0.0]


# Measures


def test_one_person_of_two_found():
    data = coco([[far_apart(10), far_apart(60)]], [0.05])
    scores = {
        name: value['all'] for name, value in measured(data, [entry(0, far_apart(10), 0.9)]).items()
    }
    # Recall is 1/2 at every threshold: 51 of the 101 recall levels have precision 1.
    assert [scores[name] for name in ('AP', 'AP50', 'AP_easy')] == pytest.approx([51 / 101] * 3)
    assert scores['AR'] == scores['recall_seen_75-100'] == scores['keypoints_seen'] == 0.5
    assert np.isnan(
        [
            scores[name]
            for name in (
                'AP_medium',
                'AP_hard',
                'recall_near_any',
                'recall_seen_0-25',
                'keypoints_hidden',
            )
        ]
    ).all()


def test_keypoints_of_a_found_person_count_by_their_own_distance():
    # 2σ = 0.1 and area 400: a keypoint's term of OKS is exp(-d² / 8), 0.5 at d = 2.355.
    pose = far_apart(10, (2, 1, 2))
    moved = [(10, 10, 0), (10, 32.3, 0), (14, 32.4, 0)]  # 0, 2.3 and 2.4 pixels away
    scores = measured(coco([[pose]], [0.5]), [entry(0, moved, 0.9)])
    assert scores['keypoints_seen']['all'] == 0.5
    assert scores['keypoints_hidden']['all'] == 1.0


def test_crowding_takes_its_bounds_from_crowdpose():
    crowding = [0.0, 0.1, 0.79, 0.8, 1.0]
    data = coco([[far_apart(10)]] * 5, crowding)
    scores = measured(data, [entry(i, far_apart(10), 0.9) for i in (0, 1, 3)])
    assert scores['AP_easy']['all'] == pytest.approx(1)
    assert scores['AP_medium']['all'] == scores['AP_hard']['all']
    assert scores['AP_hard']['all'] == pytest.approx(51 / 101)


def test_no_poses_at_all_score_zero():
    scores = measured(coco([[far_apart(10)], [far_apart(10)]], [0.5, 0.5]), [], folds=2)
    assert scores['AP'] == dict(all=0, folds=[0, 0])
    assert scores['recall_seen_75-100'] == dict(all=0, folds=[0, 0])


def test_folds_are_what_coco_says_of_their_pictures_alone():
    rng = np.random.default_rng(1)
    persons = [
        [np.column_stack((rng.uniform(0, 90, (K, 2)), np.full(K, 2))) for _ in range(3)]
        for _ in range(9)
    ]
    entries = [
        entry(i, points + np.array([*rng.normal(0, 2, 2), 0]), rng.uniform())
        for i, picture in enumerate(persons)
        for points in picture
        for _ in range(2)
    ]
    scores = measured(coco(persons, [0.5] * 9), entries, folds=3)
    for fold in range(3):
        members = [i for i in range(9) if i % 3 == fold]
        alone = coco([persons[i] for i in members], [0.5] * 3)
        mine = [
            dict(one, image_id=members.index(one['image_id']))
            for one in entries
            if one['image_id'] in members
        ]
        for metric, use_area in (('AP', True), ('AP_box_area', False)):
            evaluation = COCOeval(
                alone,
                alone.loadRes(json.loads(json.dumps(mine))),
                'keypoints',
                np.array(LAYOUT.sigmas),
                use_area,
            )
            evaluation.evaluate(), evaluation.accumulate(), evaluation.summarize()
            assert 0 < evaluation.stats[0] < 1
            assert scores[metric]['folds'][fold] == pytest.approx(evaluation.stats[0])
            if use_area:
                assert scores['AP75']['folds'][fold] == pytest.approx(evaluation.stats[2])
                assert scores['AR']['folds'][fold] == pytest.approx(evaluation.stats[5])


# The table


def config_of(variant):
    return read_config(variant.config, json.loads(json.dumps(dict(variant.options))))


@pytest.mark.parametrize(
    'name, parts',
    [
        ('one-centre', ('person',)),
        ('three-parts', ('head', 'body', 'leg')),
        ('two-parts', ('head', 'leg')),
    ],
)
def test_variants_differ_in_their_parts(name, parts):
    head = build_in_mmpose(MODELS, config_of(variants.VARIANTS[name]).model).head
    assert head.layout.part_names == parts
    assert head.refinement is not None


def test_variants_share_pictures_backbone_and_budget():
    configs = [config_of(variant) for variant in variants.VARIANTS.values()]
    for cfg in configs[1:]:
        assert cfg.model.backbone == configs[0].model.backbone
        assert cfg.train_dataloader.dataset.settings == configs[0].train_dataloader.dataset.settings
        for key in ('optim_wrapper', 'param_scheduler', 'train_cfg'):
            assert cfg[key] == configs[0][key]
    assert config_of(variants.VARIANTS['release']).codec.convention == 'release'
    assert config_of(variants.VARIANTS['three-parts_no-refinement']).model.head.refinement is None


def test_the_backbone_learns_keypoint_heatmaps_alone():
    cfg = config_of(variants.BACKBONE)
    model = build_in_mmpose(MODELS, cfg.model)
    sample = build_in_mmpose(DATASETS, cfg.train_dataloader.dataset)[0]
    batch = model.data_preprocessor(
        dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']]), True
    )
    losses = model.loss(**batch)
    assert set(losses) == {'loss_heatmap', 'loss_offset'} and losses['loss_offset'] == 0
    heatmaps = sample['data_samples'].gt_fields.heatmaps
    assert (heatmaps[17] == heatmaps[0]).all()  # the one part's center is the nose itself


@pytest.mark.parametrize('name', ['cid', 'dekr'])
def test_the_peers_train_on_the_same_pictures(name):
    cfg = config_of(variants.VARIANTS[name])
    sample = build_in_mmpose(DATASETS, cfg.train_dataloader.dataset)[0]
    other = config_of(variants.VARIANTS['three-parts']).train_dataloader.dataset
    ours = build_in_mmpose(DATASETS, other)[0]
    # They may be mirrored, each by its own coin.
    mirrored = sample['inputs'].flip(2)
    assert any(np.array_equal(ours['inputs'], inputs) for inputs in (sample['inputs'], mirrored))
    assert sample['data_samples'].gt_fields.heatmaps.shape == (18, 32, 32)


def test_ways_of_testing_that_are_known_are_left_out(monkeypatch):
    monkeypatch.setattr(testing.api, 'load', lambda *_, **__: 'model')
    monkeypatch.setattr(testing, '_test', lambda model, changes, data: changes)
    found = testing.test_variant(variants.VARIANTS['cid'], 'file', 0, None, known={'fusion': 1})
    assert found == {'no-flip': dict(flip_test=False)}


def test_what_is_switched_at_test_time():
    def switches(name, seed=0):
        return set(testing.switches_of(variants.VARIANTS[name], seed))

    assert switches('three-parts') == {*variants.SWITCHES, *variants.THRESHOLDS}
    assert switches('three-parts', 1) == switches('one-centre') == set(variants.SWITCHES)
    assert switches('three-parts_no-refinement') == {'fusion', 'nms', 'no-flip'}
    assert switches('cid') == {'fusion', 'no-flip'}


# Differences


def results_of(**rows):
    """Results with AP in folds: `three_parts=[(seed, switch, folds)]`."""
    found = {}
    for name, tests in rows.items():
        for seed, switch, folds in tests:
            row = found.setdefault(
                f'{name.replace("_", "-")}/{seed}', dict(checkpoint='cid_0/epoch_1.pth', tests={})
            )
            scores = dict(all=float(np.nanmean(folds)), folds=folds)
            row['tests'][switch] = dict(
                metrics={
                    metric: scores for metric in report._SCORES + report._OCCLUSION + report._NEAR
                },
                images_per_second=12.6,
                poses=3.0,
            )
    return dict(
        schema=study.SCHEMA,
        budget=Budget().as_dict(),
        machine='a machine',
        skipped=dict(dekr='no operators'),
        persons=dict(all=9, near_any=4),
        rows=found,
    )


def test_differences_are_paired_over_folds_and_seeds():
    results = results_of(
        three_parts=[(0, 'fusion', [0.30, 0.20, 0.40]), (1, 'fusion', [0.34, 0.20, 0.40])],
        one_centre=[
            (0, 'fusion', [0.26, 0.14, 0.38]),
            (1, 'fusion', [0.24, 0.18, 0.34]),
            (2, 'fusion', [0.9, 0.9, 0.9]),
        ],
    )
    difference = claims.compare(results, ('three-parts', 'fusion'), ('one-centre', 'fusion'))
    # Seed 0: 4, 6, 2; seed 1: 10, 2, 6; their means 7, 4, 4: variance 3, error 1.
    assert difference.mean == pytest.approx(5)
    assert difference.error == pytest.approx(1)
    assert difference.seeds == pytest.approx((4, 6))
    judged = {claim.title: holds for claim, _, holds in claims.judge(results)}
    assert judged['three parts against one center, both with refinement and fusion'] is True


def test_a_claim_needs_its_points_and_twice_its_error():
    noisy = results_of(
        three_parts=[(0, 'fusion', [0.9, 0.1, 0.35])], one_centre=[(0, 'fusion', [0.1, 0.2, 0.3])]
    )
    even = results_of(
        three_parts=[(0, 'fusion', [0.1, 0.2])], one_centre=[(0, 'fusion', [0.1, 0.2])]
    )
    one_fold = results_of(three_parts=[(0, 'fusion', [0.9])], one_centre=[(0, 'fusion', [0.1])])
    one_seed_behind = results_of(
        three_parts=[(0, 'fusion', [0.9, 0.8]), (1, 'fusion', [0.2, 0.1])],
        one_centre=[(0, 'fusion', [0.1, 0.0]), (1, 'fusion', [0.3, 0.2])],
    )
    small = results_of(
        three_parts=[(0, 'fusion', [0.12, 0.22, 0.32])], one_centre=[(0, 'fusion', [0.1, 0.2, 0.3])]
    )
    for results in (noisy, small, even, one_fold, one_seed_behind):
        assert {holds for _, _, holds in claims.judge(results)} == {False}


def test_folds_without_a_value_are_left_out():
    results = results_of(
        three_parts=[(0, 'fusion', [0.3, np.nan, 0.5])], one_centre=[(0, 'fusion', [0.2, 0.1, 0.2])]
    )
    assert claims.compare(
        results, ('three-parts', 'fusion'), ('one-centre', 'fusion')
    ).mean == pytest.approx(20)
    assert claims.compare(results, ('three-parts', 'nms'), ('one-centre', 'nms')) is None


# Report and results file


def test_the_report_has_spread_speed_and_verdicts(tmp_path):
    results = results_of(
        three_parts=[(0, 'fusion', [0.3, 0.5]), (1, 'fusion', [0.4, 0.6])],
        cid=[(0, 'fusion', [0.2, 0.3])],
    )
    (tmp_path / 'results.json').write_text(json.dumps(results))
    table, picture = report.write_report(tmp_path / 'results.json', tmp_path / 'out')
    text = table.read_text()
    assert 'at each stage' not in text
    assert 'Persons: 9 all, 4 near_any.' in text
    assert '| three parts | fusion | 45.0 ± 7.1 |' in text  # 40 and 50
    assert '| 13 |' in text
    assert 'DEKR was skipped: no operators.' in text
    # Against CID on the one seed that both have: 10 and 20.
    assert '| AP hard | +15.0 ± 5.0 | +15.0 | ahead | yes |' in text
    assert picture.stat().st_size > 10_000


def test_what_is_in_the_file_is_not_run_again(tmp_path, monkeypatch):
    def refuse(*args):
        raise AssertionError('nothing was left to do')

    monkeypatch.setattr(study, 'test_set', refuse)
    results = results_of(cid=[(0, 'fusion', [0.2, 0.3])])
    (tmp_path / 'results.json').write_text(json.dumps(results))
    study.run(tmp_path, Budget(), ['cid'])
    assert study.read(tmp_path / 'results.json')['rows'] == results['rows']


@pytest.mark.parametrize('checkpoint_is_there', [True, False])
def test_a_row_is_tested_in_what_it_lacks(tmp_path, monkeypatch, capsys, checkpoint_is_there):
    def test_variant(variant, checkpoint, seed, data, known):
        assert (variant.title, checkpoint, seed, known) == ('CID', trained, 0, row['tests'])
        return {'no-flip': 'new'}

    trained = tmp_path / 'cid_0' / 'epoch_1.pth'
    results = results_of(cid=[(0, 'fusion', [0.2, 0.3])])
    row = results['rows']['cid/0']
    (tmp_path / 'results.json').write_text(json.dumps(results))
    if checkpoint_is_there:
        trained.parent.mkdir()
        trained.touch()
    nobody = SimpleNamespace(persons=SimpleNamespace(counts={}))
    for name, value in dict(
        test_variant=test_variant,
        test_set=lambda *_: nobody,
        train_backbone=lambda *_: pytest.fail('was trained'),
        train_variant=lambda *_: pytest.fail('was trained'),
        _alone=lambda function, *args: function(*args),
    ).items():
        monkeypatch.setattr(study, name, value)
    study.run(tmp_path, Budget(), ['cid'])
    said = 'cid/0 is not tested with no-flip: cid_0/epoch_1.pth is gone\n'
    assert capsys.readouterr().out.startswith('cid/0 is in ' if checkpoint_is_there else said)
    found = study.read(tmp_path / 'results.json')['rows']['cid/0']
    more = {'no-flip': 'new'} if checkpoint_is_there else {}
    assert found == dict(row, tests={**row['tests'], **more})


@pytest.mark.parametrize(
    'budget, names, message',
    [
        (Budget(epochs=5), (), r"made with the budget \{.*'epochs': 10.*; found .*'epochs': 5"),
        (Budget(), ['four-parts'], 'there is no variant four-parts; known are one-centre'),
    ],
)
def test_another_budget_and_unknown_variants_are_refused(tmp_path, budget, names, message):
    (tmp_path / 'results.json').write_text(json.dumps(results_of()))
    with pytest.raises(RunError, match=message):
        study.run(tmp_path, budget, names)


def test_nothing_is_written_before_there_is_a_row(tmp_path):
    (tmp_path / 'results.json').write_text(json.dumps(results_of()))
    with pytest.raises(RunError, match='results.json has no rows yet'):
        report.write_report(tmp_path / 'results.json', tmp_path)


@pytest.mark.parametrize('options', [dict(epochs=0), dict(images=-1)])
def test_a_budget_is_above_zero(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f'{name} must be at least 1; found {value}'):
        Budget(**options)


def test_no_jobs_are_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(ValueError, match='jobs must be at least 1; found 0'):
        study.run(tmp_path, Budget(), jobs=0)
    with pytest.raises(ValueError, match='seeds must be at least 1; found 0'):
        study.run(tmp_path, Budget(), seeds=0)


def test_folds_without_persons_are_null_in_the_file(tmp_path):
    study._save(tmp_path / 'results.json', dict(folds=[0.5, float('nan')], rows=dict(a=[])))
    text = (tmp_path / 'results.json').read_text()
    assert json.loads(text) == dict(folds=[0.5, None], rows=dict(a=[]))


@pytest.mark.parametrize('content', ['{', '[]', '{"schema": "another"}'])
def test_other_files_are_no_results(tmp_path, content):
    with pytest.raises(RunError, match='results.json does not exist: run the study without'):
        report.write_report(tmp_path / 'results.json', tmp_path)
    (tmp_path / 'results.json').write_text(content)
    with pytest.raises(RunError, match='results.json (cannot be read|is no results file)'):
        report.write_report(tmp_path / 'results.json', tmp_path)


def test_dekr_is_skipped_where_mmcv_has_no_operators(monkeypatch):
    monkeypatch.setattr(study, 'mmcv_has_operators', lambda: False)
    assert 'full mmcv' in study.why_skipped('dekr')
    assert study.why_skipped('cid') is None
    monkeypatch.setattr(study, 'mmcv_has_operators', lambda: True)
    assert study.why_skipped('dekr') is None


def test_a_test_set_of_another_size_is_refused(tmp_path):
    write_dataset(tmp_path, CrowdSettings(size=(64, 64), persons=(1, 1)), 2, split='test')
    with pytest.raises(ValueError, match='has 2 pictures; expected 3'):
        testing.test_set(tmp_path, Budget(images=3))
    with pytest.raises(
        ValueError,
        match=r'test.json was drawn with size=\(64, 64\); expected '
        r'\(128, 128\): take another folder',
    ):
        testing.test_set(tmp_path, Budget(images=2))


def test_the_budget_says_whom_to_draw(tmp_path):
    budget = Budget(images=1, persons=(3, 3), height=(0.7, 1.0))
    data = testing.test_set(tmp_path, budget)
    assert len(data.persons.ids) == 3 and len(data.pictures) == 1
    drawn = data.annotations.dataset['info']['settings']
    assert (drawn['persons'], drawn['height']) == ([3, 3], [0.7, 1.0])
    options = training._data(budget)
    assert options['train_dataloader.dataset.settings.persons'] == (3, 3)
    assert options['train_dataloader.dataset.settings.height'] == (0.7, 1.0)
    assert json.loads(json.dumps(budget.as_dict())) == budget.as_dict()


def test_defaults_of_the_budget_are_the_config_s():
    settings = Config.fromfile(config_path(variants.PINET)).train_dataloader.dataset.settings
    assert Budget().crowd == dict(persons=tuple(settings.persons), height=tuple(settings.height))


def test_a_budget_that_cannot_be_drawn():
    with pytest.raises(ValueError, match=r'height must be \(lowest, highest\), got \(1.0, 0.5\)'):
        Budget(height=(1.0, 0.5))
    with pytest.raises(TypeError, match=r'persons must be two integers, got \(2.5, 3\)'):
        Budget(persons=(2.5, 3))


def test_a_file_without_a_crowd_has_the_first_one_s(tmp_path):
    results = results_of(cid=[(0, 'fusion', [0.2]), (0, 'no-flip', [0.1])])
    for name in ('persons', 'height'):
        del results['budget'][name]
    (tmp_path / 'results.json').write_text(json.dumps(results))
    text = report.write_report(tmp_path / 'results.json', tmp_path)[0].read_text()
    assert 'Pictures are drawn with 2 to 6 persons of 0.35 to 0.86 of their height.' in text
    assert study.run(tmp_path, Budget(), ['cid']) == tmp_path / 'results.json'  # goes on with it


def test_the_report_says_in_what_was_trained(tmp_path):
    results = results_of(cid=[(0, 'fusion', [0.2])], one_centre=[(0, 'fusion', [0.2])])
    for row, precision in (('one-centre/0', 'float32'), ('cid/0', 'bfloat16')):
        results['rows'][row]['trained_in'] = precision
    (tmp_path / 'results.json').write_text(json.dumps(results))
    text = report.write_report(tmp_path / 'results.json', tmp_path)[0].read_text()
    assert 'Trained in bfloat16 and float32.' in text


@pytest.mark.parametrize(
    'half, name, wanted',
    [
        (None, 'one-centre', 'float32'),
        (None, 'cid', 'float32'),
        (torch.float16, 'one-centre', 'float16'),
        (torch.float16, 'cid', 'float32'),
    ],
)
def test_a_row_says_in_what_it_was_trained(tmp_path, monkeypatch, half, name, wanted):
    monkeypatch.setattr(study, 'get_device', lambda: 'somewhere')
    monkeypatch.setattr(study, 'half_precision', {'somewhere': half}.get)
    for function, result in dict(
        test_set=None, train_variant=tmp_path / 'a.pth', test_variant={}, test_by_stage={}
    ).items():
        monkeypatch.setattr(study, function, lambda *_, result=result: result)
    row = study._row(tmp_path, Budget(), name, 0, None, None)
    assert (row['checkpoint'], row['trained_in']) == ('a.pth', wanted)


def test_the_tool_hands_on_its_options(tmp_path, monkeypatch):
    tool, seen = load_tool('ablation'), []
    monkeypatch.setattr(tool, 'run', lambda *args, **options: seen.append((args, options)))
    monkeypatch.setattr(tool, 'write_report', lambda *_: ())
    monkeypatch.setattr(
        'sys.argv',
        [
            'ablation',
            'out',
            '--backbone-epochs',
            '1',
            '--epochs',
            '2',
            '--pictures',
            '3',
            '--images',
            '4',
            '--persons',
            '5',
            '6',
            '--height',
            '0.7',
            '0.8',
            '--only',
            'cid',
            '--jobs',
            '9',
            '--seeds',
            '2',
        ],
    )
    tool.main()
    (((out, budget, only, jobs), options),) = seen
    assert (str(out), only, jobs, options) == ('out', ['cid'], 9, dict(seeds=2))
    assert budget == Budget(1, 2, 3, 4, (5, 6), (0.7, 0.8))


def test_some_seeds_of_some_variants():
    assert study._choose(['two-parts', 'one-centre'], 2) == (
        ('one-centre', 0),
        ('one-centre', 1),
        ('two-parts', 0),
    )
    assert study._choose([], 1) == tuple(row for row in variants.ROWS if row[1] == 0)
    assert study._choose() == variants.ROWS


def test_a_trained_checkpoint_is_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.setattr(training.runner, 'train', lambda args: pytest.fail('was trained'))
    (tmp_path / 'epoch_3.pth').touch()
    with pytest.raises(pytest.fail.Exception, match='was trained'):  # it may be half a file
        training.train_variant(variants.VARIANTS['cid'], tmp_path, Budget(epochs=3), 0, tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    path = training.train_variant(variants.VARIANTS['cid'], tmp_path, Budget(epochs=3), 0, tmp_path)
    assert path == tmp_path / 'epoch_3.pth'


@pytest.mark.slow
def test_two_rows_from_beginning_to_end(tmp_path):
    main = load_tool('ablation').main
    command = [
        'ablation',
        str(tmp_path),
        '--backbone-epochs',
        '1',
        '--epochs',
        '1',
        '--pictures',
        '8',
        '--images',
        '10',
        '--only',
        'one-centre',
        'cid',
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('sys.argv', command)
        main()
    results = study.read(tmp_path / 'results.json')
    assert set(results['rows']) == {'one-centre/0', 'one-centre/1', 'one-centre/2', 'cid/0'}
    scores = results['rows']['one-centre/0']['tests']['fusion']['metrics']
    assert len(scores['AP']['folds']) == 10 and 0 <= scores['AP']['all'] <= 1
    assert (tmp_path / 'tables.md').is_file()
