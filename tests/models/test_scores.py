"""A head with expected OKS as score: what fusion does with it, and what stays as without it."""

import argparse
import copy
import re

from pinet_mm.checkpoints import Checkpoint, load_weights
from pinet_mm.errors import CheckpointError, InputError
from pinet_mm.method.refinement import PoseRefinement
from pinet_mm.method.views import mirror_inputs

import numpy as np
import pytest
import torch
from mmengine.config import Config, DictAction
from mmpose.registry import MODELS

from studies import naive
from tests.helpers.toys import awaken, build_in_mmpose, model_config, plain_sample, scramble

INPUT = (128, 64)  # w, h
SCORE = dict(type='PoseRefinement', num_layers=1, score=dict(hidden=8))
SCORE_OFF = 'model.head.refinement.score=None'
UNCERTAINTY_OFF = 'model.head.refinement.uncertainty=False'


def build_pair(layout='three', images=2, **test_cfg):
    """A model with a score and the same one without, and noise in which they see people."""
    torch.manual_seed(0)
    test_cfg = dict(dict(max_per_part=6, part_thr=0.1, oks_thr=0.05), **test_cfg)
    config = model_config(layout, test_cfg)
    plain = build_in_mmpose(MODELS, config).eval()
    inputs = torch.randn(images, 3, *INPUT[::-1])
    awaken(plain, inputs)
    config['head']['refinement'] = SCORE
    scored = build_in_mmpose(MODELS, config).eval()
    scored.load_state_dict(plain.state_dict(), strict=False)
    scramble(scored.head.refinement.score, seed=3)
    return scored, plain, inputs


def predict(model, inputs, **test_cfg):
    model = copy.copy(model)
    model.test_cfg = dict(model.test_cfg, **test_cfg)
    with torch.no_grad():
        found = model.predict(inputs, [plain_sample(INPUT) for _ in inputs])
    return [sample.pred_instances for sample in found]


def assert_same(one, other, **tolerance):
    assert len(one) == len(other)
    for name in ('keypoints', 'keypoint_scores', 'bbox_scores'):
        np.testing.assert_allclose(one[name], other[name], **tolerance)


def record_fusion(model):
    given = []
    model.head.fusion.register_forward_hook(lambda module, args, result: given.append(args))
    return given


@torch.no_grad()
def expect_one_by_one(model, image, centers, flip_test):
    """Expected OKS of single proposals: features pooled in each view, averaged, scored."""
    head, layout = model.head, model.head.layout
    per_part, seen = len(centers) // layout.num_parts, []
    for view in (image[None], mirror_inputs(image[None], 4))[: 1 + flip_test]:
        features = model.extract_feat(view)[-1]
        offsets = head([features])[1].unflatten(1, (layout.num_parts, -1, 2))
        seen.append((features, offsets, len(seen)))
    found = []
    for i, (x, y) in enumerate(centers.tolist()):
        pooled, part = [], i // per_part
        for features, offsets, mirrored in seen:
            column = features.shape[-1] - 1 - x if mirrored else x
            own = layout.part_flip_indices[part] if mirrored else part
            center = torch.tensor([column, y])
            pose = center - offsets[0, own, :, :, y, column]
            valid = torch.ones(1, 1, dtype=torch.bool)
            given = features, pose[None, None], center[None, None], valid
            pooled.append(head.refinement.refine(*given)[1][0, 0])
        found.append(head.refinement.score(torch.stack(pooled).mean(dim=0)[None]).item())
    return found


@pytest.mark.parametrize('layout, flip_test', [('three', True), ('three', False), ('one', False)])
def test_it_orders_fusion_and_is_the_score_of_the_best_of_each_group(layout, flip_test):
    model, _, inputs = build_pair(layout, flip_test=flip_test)
    given, centers = record_fusion(model), []
    propose = model.head.sampler.propose
    model.head.sampler.propose = lambda *args: centers.append(propose(*args)) or centers[-1]
    people = predict(model, inputs)
    ((poses, keypoint_scores, expected, valid, *_),) = given
    merged = 0
    for i, found in enumerate(people):
        wanted = expect_one_by_one(model, inputs[i], centers[0].xy_hm[i], flip_test)
        known = valid[i].tolist()
        np.testing.assert_allclose(expected[i][valid[i]], np.array(wanted)[known], atol=1e-4)
        rows = [each[i].tolist() for each in (poses, keypoint_scores)]
        sigmas = model.head.layout.sigmas
        persons = naive.fuse(*rows, sigmas, expected[i].tolist(), known, 0.05)
        alone = naive.fuse(*rows, sigmas, expected[i].tolist(), known, 0.05, merge=False)
        assert len(found) == len(persons) >= 3
        for j, (keypoints, scores, _, sources) in enumerate(persons):
            (owner,) = set(alone[j][3])
            assert found.bbox_scores[j] == pytest.approx(expected[i, owner].item(), abs=1e-5)
            np.testing.assert_allclose(found.keypoints[j], keypoints, atol=1e-3)
            np.testing.assert_allclose(found.keypoint_scores[j], np.clip(scores, 0, 1), atol=1e-4)
            merged += len(set(sources)) > 1
    assert merged > 0


def test_samples_tell_what_their_scores_are():
    model, plain, inputs = build_pair()
    for each, kind in ((model, 'expected OKS'), (plain, 'mean keypoint score')):
        assert each.score_kind == kind
        samples = [plain_sample(INPUT) for _ in inputs]
        with torch.no_grad():
            found = each.predict(inputs, samples)
        assert [sample.metainfo['score'] for sample in found] == [kind, kind]
    for off in (dict(use_score=False), dict(use_refinement=False)):
        twin = copy.copy(model)
        twin.test_cfg = dict(model.test_cfg, **off)
        assert twin.score_kind == 'mean keypoint score'


@pytest.mark.parametrize('more', [dict(), dict(flip_test=True, scale_factors=(1, 0.5))])
def test_a_batch_finds_what_single_images_find(more):
    model, _, inputs = build_pair(**more)
    for i, found in enumerate(predict(model, inputs)):
        assert_same(predict(model, inputs[i : i + 1])[0], found, atol=1e-4)


def test_switched_off_nothing_differs_from_a_model_without_it():
    model, plain, inputs = build_pair(flip_test=True)
    for one, other in zip(predict(model, inputs, use_score=False), predict(plain, inputs)):
        assert_same(one, other, rtol=0, atol=0)
    on, off = predict(model, inputs)[0], predict(plain, inputs)[0]
    assert not np.allclose(on.bbox_scores[:3], off.bbox_scores[:3])
    without = (predict(each, inputs, use_refinement=False)[0] for each in (model, plain))
    assert_same(*without, rtol=0, atol=0)


def test_scales_pool_their_proposals_with_their_features():
    model, _, inputs = build_pair(scale_factors=(1, 0.5))
    given = record_fusion(model)
    predict(model, inputs)
    predict(model, inputs, scale_factors=(1,))
    (_, _, both, valid, *_), (_, _, one, first, *_) = given
    assert both.shape == (2, 2 * 3 * 6)
    # Part by part, those of scale 1 come first.
    rows = both.unflatten(1, (3, 2, 6))[:, :, 0].flatten(1)
    torch.testing.assert_close(rows[first], one[first], atol=1e-5, rtol=0)
    assert valid.sum() > first.sum()


def test_agreement_multiplies_it():
    model, _, inputs = build_pair()
    plain, weighed = predict(model, inputs)[0], predict(model, inputs, use_agreement=True)[0]
    factor = weighed.bbox_scores / plain.bbox_scores
    assert (factor <= 1.0001).all() and factor.min() < 0.9
    np.testing.assert_allclose(weighed.keypoints, plain.keypoints)


def test_half_precision_moves_it_little():
    model, _, inputs = build_pair(images=1)
    half = copy.deepcopy(model)
    half.head.refinement.product_dtype = torch.bfloat16
    given, halved = record_fusion(model), record_fusion(half)
    predict(model, inputs)
    predict(half, inputs)
    assert halved[0][2].dtype == torch.float32
    torch.testing.assert_close(halved[0][2], given[0][2], atol=0.05, rtol=0)


@pytest.mark.parametrize('more', [dict(use_score=True), dict(use_score=True, use_refinement=False)])
def test_it_cannot_be_asked_for_where_it_is_not(more):
    model, plain, _ = build_pair(images=1)
    asked = plain if len(more) == 1 else model
    with pytest.raises(InputError, match=r'use_score=True, which needs .*refinement\.score'):
        asked.head.check_settings(more)
    with pytest.raises(InputError, match="use_score must be True or False; found 'yes'"):
        asked.head.check_settings(dict(use_score='yes'))


def test_a_score_is_a_mapping():
    with pytest.raises(InputError, match=r"score must be a mapping .*; found 'dict\(hidden=32\)'"):
        PoseRefinement(4, 5, [(0, 1)], score='dict(hidden=32)')


def test_options_of_a_score_that_there_are_not_are_named():
    message = r"^refinement.score has the unknown keys \['hiden'\]; known are \['hidden'\]$"
    with pytest.raises(InputError, match=message):
        PoseRefinement(4, 5, [(0, 1)], score=dict(hiden=3))


def test_weights_with_it_fit_a_model_without_a_word(capfd):
    model, plain, inputs = build_pair(images=1)
    wanted, weights = predict(plain, inputs)[0], model.state_dict()
    load_weights(plain, Checkpoint(weights, {}, 'with.pth'))
    assert_same(predict(plain, inputs)[0], wanted, rtol=0, atol=0)
    assert capfd.readouterr() == ('', '')
    assert weights.keys() == model.state_dict().keys()
    # What belongs to nothing that may be switched off is still told.
    weights['head.refinement.scale'] = torch.zeros(1)
    load_weights(plain, Checkpoint(weights, {}, 'with.pth'))
    said = capfd.readouterr().out
    assert 'head.refinement.scale' in said and 'head.refinement.score' not in said
    # So is what a score of another form has.
    weights['head.refinement.score.scale'] = torch.zeros(1)
    load_weights(model, Checkpoint(weights, {}, 'with.pth'))
    assert 'head.refinement.score.scale' in capfd.readouterr().out


def test_a_model_without_it_may_be_told_to_do_without():
    _, plain, _ = build_pair(images=1)
    plain.head.check_settings(dict(use_score=False))


@pytest.mark.parametrize(
    'options, lacking, switches',
    [
        (dict(score=dict(hidden=8)), 'no score', [SCORE_OFF]),
        (dict(uncertainty=True), 'no uncertainty', [UNCERTAINTY_OFF]),
        (
            dict(score=dict(hidden=8), uncertainty=True),
            'no score and no uncertainty',
            [SCORE_OFF, UNCERTAINTY_OFF],
        ),
    ],
)
def test_weights_are_said_to_lack_what_was_not_trained(options, lacking, switches):
    config = model_config('three')
    weights = build_in_mmpose(MODELS, config).state_dict()
    config['head']['refinement'].update(options)
    model = build_in_mmpose(MODELS, config)
    message = (
        f'the checkpoint plain.pth has {lacking}: train that first, with this checkpoint as '
        "load_from (docs/training.md in the repository, 'A score that says how good a pose is'), "
        f'or leave that out with {" ".join(switches)}'
    )
    with pytest.raises(CheckpointError, match=f'^{re.escape(message)}$'):
        load_weights(model, Checkpoint(weights, {}, 'plain.pth'))
    # What the sentence offers works, as it is read from a command line.
    parser = argparse.ArgumentParser()
    parser.add_argument('switches', nargs='+', action=DictAction)
    switched = Config(dict(model=config))
    switched.merge_from_dict(parser.parse_args(switches).switches)
    load_weights(build_in_mmpose(MODELS, switched.model), Checkpoint(weights, {}, 'plain.pth'))
    del weights['head.part_branch.bias']  # of another network: that goes first
    with pytest.raises(CheckpointError, match=r'missing head\.part_branch\.bias') as error:
        load_weights(model, Checkpoint(weights, {}, 'other.pth'))
    assert 'trained' not in str(error.value)
