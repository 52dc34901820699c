"""The metainfo that a checkpoint brings, where the file that a config names is not there."""

from pinet_mm.checkpoints.carried import as_written, carry_metainfo
from pinet_mm.models.codec import build_layout

import numpy as np
import pytest
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from tests.helpers.toys import five_metainfo

FILE = 'data/gone/metainfo.py'


@pytest.fixture
def parsed():
    """The toy's metainfo with a color and a weight of its own, as a checkpoint holds it."""
    written = five_metainfo()
    written['keypoint_info'][1]['color'] = [1, 2, 3]
    written['joint_weights'][2] = 1.5
    return parse_pose_metainfo(written)


def config():
    codec = dict(type='PINetCodec', layout=dict(metainfo=FILE))
    dataset = dict(type='CocoDataset', metainfo=dict(from_file=FILE))
    return Config(
        dict(
            codec=codec,
            model=dict(head=dict(decoder=codec)),
            test_dataloader=dict(dataset=dict(type='CombinedDataset', datasets=[dataset])),
        )
    )


def test_what_is_written_is_parsed_to_the_same(parsed):
    again = parse_pose_metainfo(as_written(parsed))
    assert again.keys() == parsed.keys()
    for name, value in parsed.items():
        if name not in ('upper_body_ids', 'lower_body_ids', 'skeleton_link_colors'):
            np.testing.assert_equal(again[name], value)


def test_layout_and_datasets_get_it_where_the_file_is_gone(parsed):
    cfg = config()
    carry_metainfo(cfg, parsed)
    names = [parsed['keypoint_id2name'][i] for i in range(5)]
    for metainfo in (
        cfg.codec.layout.metainfo,
        cfg.model.head.decoder.layout.metainfo,
        cfg.test_dataloader.dataset.datasets[0].metainfo,
    ):
        assert [each['name'] for each in metainfo['keypoint_info'].values()] == names
    layout = build_layout(cfg.codec.layout)
    assert list(layout.keypoint_names) == names
    assert list(layout.flip_indices) == list(parsed['flip_indices'])


def test_a_file_that_is_there_counts(parsed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data' / 'gone').mkdir(parents=True)
    (tmp_path / FILE).touch()
    cfg = config()
    carry_metainfo(cfg, parsed)
    assert cfg.codec.layout.metainfo == FILE


def test_a_checkpoint_without_metainfo_changes_nothing():
    cfg = config()
    carry_metainfo(cfg, {})
    assert cfg.codec.layout.metainfo == FILE
