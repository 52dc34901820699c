"""Options of a run besides its config, those of `tools/train.py` and `tools/test.py`."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options that training and evaluation share.

    Args:
        config: path of the config file, or the name of one of the project's.
        work_dir: folder for logs, checkpoints and results; by default the config's, or
            `work_dirs/CONFIG`.
        cfg_options: settings that replace those of the config, dotted key to value.
        show_dir: folder for images with the predicted poses drawn over them.
        show: show these images in a window.
        interval: draw every n-th batch only.
        wait_time: seconds that a window stays open.
        launcher: what started the processes of a distributed run: none, pytorch, slurm or mpi.
        local_rank: number of this process on its machine, unless LOCAL_RANK says so already.
        category: name or id of the person category, where several have keypoints.
        allow_outside: images may lie outside of the folder that the config names.
    """

    config: str
    work_dir: str | None = None
    cfg_options: dict[str, Any] | None = None
    show_dir: str | None = None
    show: bool = False
    interval: int = 1
    wait_time: float = 1
    launcher: str = 'none'
    local_rank: int = 0
    category: str | None = None
    allow_outside: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainOptions(RunOptions):
    """Options of a training.

    Args:
        resume: checkpoint to go on from; 'auto' takes the latest one of the work folder.
        amp: mixed precision.
        no_validate: do not evaluate checkpoints during training.
        auto_scale_lr: scale the learning rate by the batch size over the one the config names.
        skip_bad_batches: go on after a batch whose losses or gradients are not finite.
        on_device: the device that trains keeps the images and makes crops and targets itself.
        command: the command line that goes on with this training, to be named if it is stopped.
    """

    resume: str | None = None
    amp: bool = False
    no_validate: bool = False
    auto_scale_lr: bool = False
    skip_bad_batches: bool = False
    on_device: bool = False
    command: str | None = None


@dataclass(frozen=True, kw_only=True)
class TestOptions(RunOptions):
    """Options of an evaluation.

    Args:
        checkpoint: path or URL of the weights.
        out: file for the metrics, .json, .yaml or .pkl.
        dump: file for the predictions, .pkl.
        json: file for the poses in COCO's result format, .json.
        ann: annotation file to evaluate on in place of the config's; needs `img`.
        img: folder of its images.
        amp: most of it in half precision, see `acceleration.accelerate`.
        compile: compile the model, see `acceleration.accelerate`.
        badcase: collect the worst predictions; top-down configs with a bad-case hook only.
    """

    __test__ = False  # pytest collects classes of this name

    checkpoint: str
    out: str | None = None
    dump: str | None = None
    json: str | None = None
    ann: str | None = None
    img: str | None = None
    amp: bool = False
    compile: bool = False
    badcase: bool = False
