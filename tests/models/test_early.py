"""Settings that no model takes are refused before its weights are read."""

from pinet_mm import PINet, PINetCodec, PINetHead, api, configs, runner
from pinet_mm.errors import InputError
from pinet_mm.models.early import check_settings

import pytest
from mmpose.registry import MODELS

from tests.helpers import toys

CONFIG = 'pinet_lite_photos.py'
WRONG = [
    ('model.test_cfg.part_trh', r"test_cfg has the unknown keys \['part_trh'\]"),
    ('model.head.refinment', r"model.head has the unknown keys \['refinment'\]"),
    ('model.hed', r"model has the unknown keys \['hed'\]"),
    ('codec.inpt_size', r"codec has the unknown keys \['inpt_size'\]"),
]


@pytest.fixture
def no_weights(monkeypatch):
    """Fail the test if weights are looked for."""
    for place in (
        'api.read_checkpoint',
        'runner.run.read_checkpoint',
        'runner.run.require_checkpoint',
    ):
        monkeypatch.setattr(f'pinet_mm.{place}', lambda path: pytest.fail('weights are read'))


@pytest.mark.parametrize('name, said', WRONG)
def test_misspelled_settings_are_found_before_weights_are_read(name, said, no_weights, tmp_path):
    options = {name: 1}
    url = 'https://example.invalid/weights.pth'
    with pytest.raises(InputError, match=said):
        api.load(CONFIG, url, 'cpu', options)
    with pytest.raises(InputError, match=said):
        runner.test(runner.TestOptions(config=CONFIG, checkpoint=url, cfg_options=options))


@pytest.mark.parametrize('name, said', WRONG)
def test_classes_may_be_given_as_themselves(name, said):
    model = configs.read_config(CONFIG).model
    model.type, model.head.type, model.head.decoder.type = PINet, PINetHead, PINetCodec
    check_settings(model)
    of = dict(model=model, codec=model.head.decoder)
    root, *path, key = name.split('.')
    node = of[root]
    for each in path:
        node = node[each]
    node[key] = 1
    with pytest.raises(InputError, match=said):
        check_settings(model)


@pytest.mark.parametrize('kind', [5, None])
def test_what_is_no_class_is_left_to_the_registry(kind):
    check_settings(dict(type=kind))
    with pytest.raises(TypeError, match='type'):
        MODELS.build(dict(type=kind))


def test_an_estimator_refuses_keys_of_a_head_that_is_given_as_a_class():
    with pytest.raises(InputError, match=r"model.head has the unknown keys \['refinment'\]"):
        PINet(backbone=dict(), head=dict(type=PINetHead, refinment=1))


def test_a_codec_of_another_class_is_named():
    decoder = dict(type='SPR', input_size=(128, 128), heatmap_size=(32, 32))
    with pytest.raises(InputError, match='^decoder must be a PINetCodec; found SPR$'):
        MODELS.build(dict(toys.head_config(), decoder=decoder))


def test_a_head_of_another_class_is_named():
    model = toys.model_config()
    model['head'] = dict(
        type='HeatmapHead', in_channels=60, out_channels=5, deconv_out_channels=None
    )
    with pytest.raises(InputError, match=r'^model\.head must be a PINetHead; found HeatmapHead$'):
        toys.build_in_mmpose(MODELS, model)


def test_every_config_passes_and_other_models_are_left_alone():
    for name in ('pinet_lite_photos', 'pinet_hrnet_crowdpose', 'pinet_hrnet_crowdpose_release'):
        check_settings(configs.read_config(name).model)
    check_settings(dict(type='BottomupPoseEstimator', hed=1))
