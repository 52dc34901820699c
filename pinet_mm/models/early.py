"""Settings of a PINet that can be refused before its weights are read and it is built."""

from collections.abc import Mapping
from typing import Any

from mmpose.models.pose_estimators import BottomupPoseEstimator

from ..datasets.wrapped import bare_name
from .codec import PINetCodec
from .head import PINetHead
from .keys import check_keys, check_own_keys
from .test_cfg import TestSettings


def check_settings(model: Mapping[str, Any]) -> None:
    """Refuse keys that a PINet, its head or its codec do not take, and a wrong `test_cfg`.

    Args:
        model: of a config; that of another estimator is left to MMPose.

    Raises:
        InputError: a key is unknown, or `test_cfg` has a wrong value.
    """
    if bare_name(model) != 'PINet':
        return
    head = model.get('head') or {}
    decoder = head.get('decoder') or {}
    check_keys('model', model, BottomupPoseEstimator)
    check_own_keys('model.head', head, PINetHead)
    check_own_keys('codec', decoder, PINetCodec)
    TestSettings.from_cfg(model.get('test_cfg') or {})
