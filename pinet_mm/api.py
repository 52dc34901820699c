"""A few lines to load a model and run it on many pictures.

    from pinet_mm import api
    model = api.load()  # the model that the package ships; or a config and a checkpoint
    for sample in api.predict(model, ['street.jpg', picture]):
        print(sample.pred_instances.keypoints)
"""

import copy
import json
from collections import defaultdict, deque
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Union

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import InstanceData
from mmengine.utils import ProgressBar
from mmpose.apis import init_model
from mmpose.structures import PoseDataSample

from .acceleration import accelerate
from .estimator import PINet
from .onnx_runner import OnnxPoses
from .runner import RunError
from .runner.settings import share_codec
from .runner.weights import fetch, require_all_weights, require_checkpoint
from .visualization import before_and_after, contact_sheet, draw_poses

PICTURES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
SCHEMA = 'pinet_mm.predictions/1'  # docs/predictions.md says what it holds
WEIGHTS = Path(__file__).parent / 'weights'  # shipped ones, each named after its config
SHIPPED = 'pinet_hrnet-slim_crowdsynth.py'
LOOKAHEAD = 4  # batches that `predict` reads ahead, to put pictures of one size together


class Report(NamedTuple):
    """What `infer` did: its JSON, files that it could not read, pictures, seconds they took."""

    json: Path
    unreadable: List[str]
    pictures: int
    seconds: float


def config_path(name: str) -> Path:
    """Find one of the project's configs, such as `pinet_hrnet_crowdpose.py`, or take a path.

    Raises:
        FileNotFoundError: there is no such file, neither here nor among the configs.
    """
    package, file = Path(__file__).parent, f'{str(name).removesuffix(".py")}.py'
    # A wheel carries the configs inside the package, a checkout beside it.
    places = [Path(name), package / '.mim' / 'configs' / file, package.parent / 'configs' / file]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f'{name} is no config file; tried {", ".join(map(str, places))}')


def shipped_weights(config: Union[str, Path]) -> Path:
    """Find the weights that the package ships for a config, by the name of its file.

    Raises:
        FileNotFoundError: it ships none for this config.
    """
    path = WEIGHTS / f'{Path(config).stem}.pth'
    if not path.is_file():
        known = ', '.join(sorted(f'{file.stem}.py' for file in WEIGHTS.glob('*.pth')))
        raise FileNotFoundError(f'the package ships no weights for {Path(config).name}: name a '
                                f'checkpoint, or take a config that it has weights for: {known}')
    return path


def load(config: Union[str, Path, Config] = SHIPPED, checkpoint: Union[str, Path, None] = None,
         device: Optional[str] = None, cfg_options: Optional[dict] = None, amp: bool = False,
         compile: bool = False) -> PINet:
    """Build a model from a config and load its weights, ready to predict.

    Args:
        config: a config, its path or name, see `config_path`; by default the shipped model's.
        checkpoint: path or URL of the weights; by default those shipped for the config.
        device: by default the first GPU, or the CPU.
        cfg_options: settings of the config to replace, such as `{'model.test_cfg.flip_test': 0}`.
        amp, compile: see `acceleration.accelerate`.

    Raises:
        FileNotFoundError: the config does not exist, or has no shipped weights.
        RunError: the checkpoint does not exist, cannot be read or does not fit the model.
    """
    config = copy.deepcopy(config) if isinstance(config, Config) else Config.fromfile(
        config_path(str(config)))
    checkpoint = checkpoint or shipped_weights(config.filename or 'a config without a file')
    config.merge_from_dict(cfg_options or {})
    share_codec(config)
    require_checkpoint(str(checkpoint))
    weights = fetch(str(checkpoint), f'the checkpoint {checkpoint}', 'is it whole?')
    model = init_model(config, str(checkpoint), device or ('cuda:0' if torch.cuda.is_available()
                                                           else 'cpu'))
    require_all_weights(model, weights, str(checkpoint))
    return accelerate(model, amp, compile) if amp or compile else model


def load_onnx(path: Union[str, Path]) -> OnnxPoses:
    """Load what tools/export_onnx.py wrote; `predict` and `infer` take it for a model.

    Raises:
        RunError: ONNX Runtime is missing or cannot run the file.
    """
    try:
        return OnnxPoses(path)
    except (ImportError, ValueError) as error:
        raise RunError(str(error)) from error


@torch.no_grad()
def predict(model: Union[PINet, OnnxPoses], pictures: Iterable[Union[str, Path, np.ndarray]],
            batch_size: int = 8) -> Iterator[PoseDataSample]:
    """Predict the poses of pictures, in their order, `batch_size` at a time.

    Args:
        model: what `load` or `load_onnx` returns; the latter takes picture by picture.
        pictures: paths or (H, W, 3) uint8 BGR arrays, of any sizes; or one path.
        batch_size: pictures of one input size that go through together; changes speed and
            memory, not results.

    Yields:
        A sample for each picture; its `pred_instances` are in pixels of that picture.

    Raises:
        ValueError: `batch_size` is below 1, an array is no colour picture, or a file none at all.
    """
    if batch_size < 1:
        raise ValueError(f'batch_size must be at least 1; found {batch_size}')
    pictures = [pictures] if isinstance(pictures, (str, Path)) else pictures
    if isinstance(model, OnnxPoses):
        yield from (_onnx_sample(model, _source(picture)['img']) for picture in pictures)
        return
    pipeline, pictures = Compose(model.cfg.test_dataloader.dataset.pipeline), iter(pictures)
    while window := list(islice(pictures, LOOKAHEAD * batch_size)):
        inputs = [pipeline(dict(_source(picture), **model.dataset_meta)) for picture in window]
        samples = {}
        for batch in _batches_of_one_size(inputs, batch_size):
            found = model.test_step(pseudo_collate([inputs[i] for i in batch]))
            samples.update(zip(batch, found))
        yield from (samples[i] for i in range(len(window)))


def _onnx_sample(model: OnnxPoses, picture: np.ndarray) -> PoseDataSample:
    found = model(picture)
    keypoints, scores = found['keypoints'], found['keypoint_scores']
    boxes = np.concatenate((keypoints.min(axis=1), keypoints.max(axis=1)), axis=-1)
    people = InstanceData(keypoints=keypoints, keypoint_scores=scores, keypoints_visible=scores,
                          bboxes=boxes, bbox_scores=found['scores'])
    return PoseDataSample(pred_instances=people, metainfo=dict(ori_shape=picture.shape[:2]))


def _batches_of_one_size(inputs: List[dict], batch_size: int) -> Iterator[List[int]]:
    by_size: Dict[tuple, List[int]] = defaultdict(list)
    for i, item in enumerate(inputs):
        by_size[tuple(item['inputs'].shape)].append(i)
    for members in by_size.values():
        yield from (members[i:i + batch_size] for i in range(0, len(members), batch_size))


def _source(picture: Union[str, Path, np.ndarray]) -> dict:
    if isinstance(picture, np.ndarray):
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError('a picture must be an (H, W, 3) uint8 array in BGR order; found '
                             f'{picture.shape} {picture.dtype}')
        return dict(img=picture, img_path='')
    # Upright by the camera's orientation tag, as people see it, whatever the test pipeline reads.
    pixels = cv2.imread(str(picture))
    if pixels is None:
        raise ValueError(f'{picture} is no picture that can be read')
    return dict(img=pixels, img_path=str(picture))


def find_pictures(inputs: Iterable[Union[str, Path]]) -> List[Path]:
    """List the given pictures and those in the given folders, each folder sorted by name.

    Raises:
        FileNotFoundError: an input does not exist, or a folder holds no picture.
    """
    found = []
    for path in map(Path, inputs):
        inside = [path] if path.is_file() else sorted(
            file for file in path.rglob('*') if file.suffix.lower() in PICTURES)
        if not inside:
            problem = 'holds no picture' if path.is_dir() else 'does not exist'
            raise FileNotFoundError(f'{path} {problem}; expected a picture or a folder with files '
                                    f'ending in {", ".join(PICTURES)}')
        found += inside
    return found


def to_record(sample: PoseDataSample, name: str) -> dict:
    """Put a sample's persons into plain numbers, in pixels of the original picture.

    Returns:
        `file`, `width`, `height` and `persons`, the best first, each with `score`, `bbox` (x1, y1,
        x2, y2) and `keypoints`, a list of [x, y, score].
    """
    people, (height, width) = sample.pred_instances, sample.metainfo['ori_shape'][:2]
    keypoints = np.concatenate((people.keypoints, people.keypoint_scores[..., None]), axis=-1)
    persons = [dict(score=round(float(people.bbox_scores[i]), 4),
                    bbox=people.bboxes[i].round(2).tolist(),
                    keypoints=keypoints[i].round(4).tolist())
               for i in np.argsort(-people.bbox_scores, kind='stable')]
    return dict(file=name, width=int(width), height=int(height), persons=persons)


def infer(model: Union[PINet, OnnxPoses], inputs: Iterable[Union[str, Path]],
          out_dir: Union[str, Path], batch_size: int = 8, pose_thr: float = 0.1,
          before_fusion: bool = False) -> Report:
    """Write an overlay for every picture and one `predictions.json` with all of them.

    Files that are no pictures are reported, those in `out_dir` are no input; `overview.jpg` shows
    the first twelve overlays.

    Args:
        model: what `load` or `load_onnx` returns.
        inputs: pictures and folders.
        out_dir: made if it is missing.
        batch_size: pictures a pass.
        pose_thr: persons with a lower score are left out of the overlays (the JSON has them).
        before_fusion: overlays show every proposed pose on their left; needs a model of `load`.

    Returns:
        A `Report`; docs/predictions.md describes the JSON.

    Raises:
        FileNotFoundError: an input is missing, or all pictures lie in `out_dir`.
    """
    out_dir = Path(out_dir)
    files = [file for file in find_pictures(inputs)
             if out_dir.resolve() not in file.resolve().parents]
    if not files:
        raise FileNotFoundError(f'all pictures lie in {out_dir}, where overlays are to be written')
    out_dir.mkdir(parents=True, exist_ok=True)
    records, overlays, unreadable, pending = [], [], [], deque()
    meta, progress, start = model.dataset_meta, ProgressBar(len(files)), perf_counter()
    pictures = _read_pictures(files, pending, unreadable)
    for sample in predict(model, pictures, batch_size):
        file, name, picture = pending.popleft()
        overlay = draw_poses(picture, sample.pred_instances, meta, pose_thr)
        if before_fusion:
            proposed = next(predict(_without_fusion(model), [picture])).pred_instances
            overlay = before_and_after(draw_poses(picture, proposed, meta, pose_thr), overlay)
        cv2.imwrite(str(out_dir / name), overlay)
        overlays = (overlays + [overlay])[:12]
        records.append(dict(to_record(sample, str(file)), overlay=name))
        progress.update()
    if overlays:
        columns, cell = (3, 640) if before_fusion else (4, 480)
        cv2.imwrite(str(out_dir / 'overview.jpg'), contact_sheet(overlays, columns, cell))
    target = out_dir / 'predictions.json'
    target.write_text(json.dumps(_document(meta, records, unreadable), indent=1))
    return Report(target, unreadable, len(records), perf_counter() - start)


def _without_fusion(model: PINet) -> PINet:
    twin = copy.copy(model)  # shares the weights
    twin.test_cfg = dict(model.test_cfg or {}, oks_thr=1.0)  # no two poses are one person
    return twin


def _read_pictures(files: List[Path], pending: deque, unreadable: list) -> Iterator[np.ndarray]:
    # Yields pictures for `predict` and leaves in `pending` what belongs to each.
    for file, name in zip(files, _overlay_names(files)):
        picture = cv2.imread(str(file))
        if picture is None:
            unreadable.append(str(file))
        else:
            pending.append((file, name, picture))
            yield picture


def _document(meta: dict, records: List[dict], unreadable: List[str]) -> dict:
    keypoint_names = [meta['keypoint_id2name'][i] for i in range(len(meta['keypoint_id2name']))]
    return dict(schema=SCHEMA, keypoint_names=keypoint_names,
                skeleton=[list(map(int, link)) for link in meta['skeleton_links']],
                pictures=records, unreadable=unreadable)


def _overlay_names(files: Iterable[Path]) -> List[str]:
    # Pictures of one name in two folders must not overwrite each other, nor the overview.
    names, used = [], {'overview.jpg'}
    for file in files:
        name, i = f'{file.stem}.jpg', 1
        while name in used:
            name, i = f'{file.stem}-{i}.jpg', i + 1
        used.add(name)
        names.append(name)
    return names
