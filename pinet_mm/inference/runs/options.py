"""The options of `infer`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..sources.videos import WHOLE, Clip


@dataclass(frozen=True)
class InferOptions:
    """What `infer` writes, and of which frames.

    Attributes:
        all_poses: the JSON has people of any score, not only those who are drawn.
        schema: of the JSON: 2, or 1 for that of version 0.1, which has people of any score.
        clip: which frames of videos and streams.
        overlays: whether drawings are written.
        keypoint_thr: keypoints with a lower score are not drawn.
        boxes: whether people's boxes are drawn.
        explain: drawings show how people were found, step by step; needs a PINet.
        resume: go on with the run whose `predictions.jsonl` lies in the folder.
        model: names the model; a run can only be resumed with the same name.
        tracker: called for each video, stream or folder of images; returns what tracks its people,
            such as a `tracking.Follower`: its `update` takes a result and returns identities, (N,)
            integers in the order of the result's `keypoints`, -1 for people without one.
    """

    all_poses: bool = False
    schema: int = 2
    clip: Clip = WHOLE
    overlays: bool = True
    keypoint_thr: float = 0.015
    boxes: bool = False
    explain: bool = False
    resume: bool = False
    model: str = ''
    tracker: Callable[[], Any] | None = None


DEFAULTS = InferOptions()
