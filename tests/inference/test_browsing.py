"""What is drawn of training samples: colors where the targets are, red where there is no loss."""

from pathlib import Path

from pinet_mm.cli import main
from pinet_mm.errors import InputError
from pinet_mm.inference import browsing
from pinet_mm.inference.drawing.maps import color_of, draw_arrows, draw_maps, draw_mask

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.structures import PoseDataSample

from tests.helpers.toys import build_codec, five_metainfo

GRAY = np.full((80, 80, 3), 200, np.uint8)


# ---- drawing -----------------------------------------------------------------------------------


def test_maps_are_drawn_in_their_colors_where_they_are_high():
    maps = np.zeros((2, 20, 20))
    maps[0, 5, 5] = maps[1, 15, 15] = 1
    drawn = draw_maps(GRAY, maps).astype(int)
    # map pixel (5, 5) covers image pixels 20 to 23
    assert np.abs(drawn[21:23, 21:23] - color_of(0)).mean() < 60
    assert np.abs(drawn[61:63, 61:63] - color_of(1)).mean() < 60
    assert (drawn[40, 40] == 90).all()  # 0.45 of 200


def test_an_arrow_joins_its_ends():
    drawn = draw_arrows(GRAY, [[10, 10]], [[50, 10]], np.array([[0, 0, 255.0]]))
    assert (drawn[10, 12:48, 2] > 200).all() and (drawn[30] == 90).all()


def test_what_is_not_valid_is_red():
    valid = np.ones((20, 20), bool)
    valid[:5] = False
    drawn = draw_mask(GRAY, valid).astype(int)
    assert (drawn[:20, :, 2] - drawn[:20, :, 0] > 60).all() and (drawn[20:] == 200).all()


# ---- sheets ------------------------------------------------------------------------------------


def _sample(codec):
    keypoints = np.array([[[40, 20], [60, 40], [20, 40], [60, 100], [20, 100.0]]], np.float32)
    encoded = codec.encode(keypoints, np.ones((1, 5)), np.array([4000.0]))
    labels = {
        name: torch.from_numpy(v) for name, v in encoded.items() if name.startswith('target_')
    }
    fields = {name: torch.from_numpy(v) for name, v in encoded.items() if name not in labels}
    sample = PoseDataSample()
    sample.gt_instances = InstanceData(keypoints=keypoints, keypoints_visible=np.ones((1, 5)))
    if labels:
        sample.gt_instance_labels = InstanceData(**labels)
    mask = torch.ones((1, 32, 32), dtype=bool)
    mask[:, :, 24:] = False
    sample.gt_fields = PixelData(**fields, heatmap_mask=mask)
    image = torch.full((3, 128, 128), 200, dtype=torch.uint8)
    return dict(inputs=image, data_samples=sample), keypoints[0]


def _panels(sheet):
    """The five panels without titles."""
    width = (sheet.shape[1] - 16) // 5
    return [sheet[-width:, n * (width + 4) : n * (width + 4) + width] for n in range(5)]


def test_the_sheet_shows_people_heatmaps_centers_offsets_and_what_is_ignored():
    codec = build_codec(sparse_offsets=True)
    sample, keypoints = _sample(codec)
    people, heat, centers, offsets, ignored = _panels(
        browsing.draw_targets(sample, codec, five_metainfo_parsed())
    )
    zoom = people.shape[0] / 128
    colorful = [
        [
            np.ptp(panel[int((y + 0.5) * zoom), int((x + 0.5) * zoom)].astype(int)) > 40
            for x, y in keypoints
        ]
        for panel in (people, heat, offsets)
    ]
    assert np.array(colorful).all()
    # the hands' center, (40, 40), is drawn among the centers and in no keypoint map
    spot = int(40.5 * zoom), int(40.5 * zoom)
    assert np.ptp(centers[spot].astype(int)) > 40 > np.ptp(heat[spot].astype(int))
    red = ignored.astype(int)
    assert (red[:, int(97 * zoom) :, 2] - red[:, int(97 * zoom) :, 0] > 60).all()
    assert (red[10, : int(90 * zoom)] == 200).all()


def test_whole_maps_draw_the_arrows_of_single_pixels():
    panels = []
    for sparse in (True, False):
        codec = build_codec(sparse_offsets=sparse)
        panels.append(browsing.draw_targets(_sample(codec)[0], codec, five_metainfo_parsed()))
    assert np.array_equal(*panels)


def five_metainfo_parsed():
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    return parse_pose_metainfo(five_metainfo())


def test_the_command_draws_samples_of_a_config(tmp_path, monkeypatch, capsys):
    from tests.helpers.animals import follow_page

    follow_page(tmp_path, train=3, val=1)
    monkeypatch.chdir(tmp_path)
    main(['data', 'browse', 'configs/mouse.py', '--out', 'sheets', '--count', '2'])
    assert '2 sheets are in sheets' in capsys.readouterr().out
    names = sorted(path.name for path in Path('sheets').iterdir())
    assert names == ['000000.jpg', '000002.jpg']
    assert cv2.imread('sheets/000000.jpg').shape[1] == 5 * 420 + 4 * 4
    first = Path('sheets/000000.jpg').read_bytes()
    main(['data', 'browse', 'configs/mouse.py', '--out', 'sheets', '--count', '1'])
    assert Path('sheets/000000.jpg').read_bytes() == first
    gone = ['--cfg-options', 'train_dataloader.dataset.ann_file=gone.json']
    with pytest.raises(SystemExit, match='error: the annotation file .*gone.json of train_datal'):
        main(['data', 'browse', 'configs/mouse.py', *gone])
    Path('sheets/000000.jpg').unlink()
    Path('sheets/000000.jpg').mkdir()
    with pytest.raises(SystemExit, match="error: .*Is a directory: 'sheets/000000.jpg'"):
        main(['data', 'browse', 'configs/mouse.py', '--out', 'sheets', '--count', '1'])


def test_no_samples_are_refused():
    with pytest.raises(InputError, match='^count must be at least 1; found 0$'):
        browsing.browse(browsing.Config(), 'sheets', count=0)


def test_only_a_pinet_codec_can_be_drawn():
    config = browsing.Config(dict(model=dict(head=dict(type='CIDHead'))))
    with pytest.raises(
        InputError, match='only what a PINetCodec makes can be drawn; found NoneType'
    ):
        browsing.browse(config, 'nowhere')
