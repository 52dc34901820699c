"""Configs of the release with the width of the golden arrays' networks."""

from pathlib import Path

from mmengine.config import Config

ROOT = Path(__file__).parents[2]
SIZES = dict(coco=(17, 2), crowdpose=(14, 3))
CONFIG = 'pinet_hrnet_{}_release.py'


def narrow_config(dataset, width=4):
    """The release config of a dataset with the width of golden's networks."""
    config = Config.fromfile(ROOT / 'configs' / CONFIG.format(dataset))
    for stage in (2, 3, 4):
        config.model.backbone.extra[f'stage{stage}'].num_channels = [
            width * 2**i for i in range(stage)
        ]
    config.model.head.in_channels = 15 * width
    return config
