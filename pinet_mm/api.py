"""A few lines to load a model and run it on many pictures.

    from pinet_mm import api
    model = api.load('configs/pinet_hrnet_crowdpose.py', 'pinet.pth')
    for sample in api.predict(model, ['street.jpg', picture]):
        print(sample.pred_instances.keypoints)
"""

import json
from collections import deque
from itertools import islice
from pathlib import Path
from typing import Iterable, Iterator, List, NamedTuple, Optional, Union

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.runner import CheckpointLoader
from mmpose.apis import init_model
from mmpose.structures import PoseDataSample

from .estimator import PINet
from .runner.settings import share_codec
from .runner.weights import require_all_weights, require_checkpoint
from .visualization import contact_sheet, draw_poses

PICTURES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
SCHEMA = 'pinet_mm.predictions/1'


class Report(NamedTuple):
    """Where `infer` wrote its JSON, and the files that it could not read."""

    json: Path
    unreadable: List[str]


def config_path(name: str) -> Path:
    """Find one of the project's configs, such as `pinet_hrnet_crowdpose.py`, or take a path.

    Raises:
        FileNotFoundError: there is no such file, neither here nor among the configs.
    """
    package = Path(__file__).parent
    # A wheel carries the configs inside the package, a checkout beside it.
    places = [Path(name), package / '.mim' / 'configs' / name, package.parent / 'configs' / name]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f'{name} is no config file; tried {", ".join(map(str, places))}')


def load(config: Union[str, Path, Config], checkpoint: Union[str, Path],
         device: Optional[str] = None, cfg_options: Optional[dict] = None) -> PINet:
    """Build a model from a config and load its weights, ready to predict.

    Args:
        config: a config, its path, or the name of one of the project's (see `config_path`).
        checkpoint: path or URL of the weights.
        device: by default the first GPU, or the CPU.
        cfg_options: settings of the config to replace, such as `{'model.test_cfg.flip_test': 0}`.

    Raises:
        FileNotFoundError: the config does not exist.
        RunError: the checkpoint does not exist or does not fit the model.
    """
    if not isinstance(config, Config):
        config = Config.fromfile(config_path(str(config)))
    config.merge_from_dict(cfg_options or {})
    share_codec(config)
    require_checkpoint(str(checkpoint))
    weights = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
    model = init_model(config, str(checkpoint), device or ('cuda:0' if torch.cuda.is_available()
                                                           else 'cpu'))
    require_all_weights(model, weights, str(checkpoint))
    return model


@torch.no_grad()
def predict(model: PINet, pictures: Iterable[Union[str, Path, np.ndarray]],
            batch_size: int = 8) -> Iterator[PoseDataSample]:
    """Predict the poses of pictures, in their order, `batch_size` at a time.

    Args:
        model: what `load` returns.
        pictures: paths or (H, W, 3) uint8 BGR arrays, of any sizes.
        batch_size: changes speed and memory, not results.

    Yields:
        A sample for each picture; its `pred_instances` are in pixels of that picture.

    Raises:
        ValueError: `batch_size` is below 1, or an array is no colour picture.
    """
    if batch_size < 1:
        raise ValueError(f'batch_size must be at least 1; found {batch_size}')
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    pictures = iter(pictures)
    while batch := list(islice(pictures, batch_size)):
        inputs = [pipeline(dict(_source(picture), **model.dataset_meta)) for picture in batch]
        yield from model.test_step(pseudo_collate(inputs))


def _source(picture: Union[str, Path, np.ndarray]) -> dict:
    if isinstance(picture, np.ndarray):
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError('a picture must be an (H, W, 3) uint8 array in BGR order; found '
                             f'{picture.shape} {picture.dtype}')
        return dict(img=picture, img_path='')
    return dict(img_path=str(picture))


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


def infer(model: PINet, inputs: Iterable[Union[str, Path]], out_dir: Union[str, Path],
          batch_size: int = 8, pose_thr: float = 0.1) -> Report:
    """Write an overlay for every picture and one `predictions.json` with all of them.

    Files that are no pictures are passed over and reported; what lies in `out_dir` is no input.

    Args:
        model: what `load` returns.
        inputs: pictures and folders.
        out_dir: made if it is missing.
        batch_size: pictures a pass.
        pose_thr: persons with a lower score are left out of the overlays (the JSON has them).

    `overview.jpg` shows the first twelve overlays together.

    Returns:
        The path of the JSON (`schema`, `keypoint_names`, `skeleton`, and in `pictures` a record
        for each picture, see `to_record`, with the name of its `overlay`) and the files that could
        not be read.
    """
    out_dir = Path(out_dir)
    files = [file for file in find_pictures(inputs)
             if out_dir.resolve() not in file.resolve().parents]
    out_dir.mkdir(parents=True, exist_ok=True)
    records, overlays, meta = [], [], model.dataset_meta
    pending, unreadable = deque(), []
    pictures = _read_pictures(files, pending, unreadable)
    for sample in predict(model, pictures, batch_size):
        file, name, picture = pending.popleft()
        overlay = draw_poses(picture, sample.pred_instances, meta, pose_thr)
        cv2.imwrite(str(out_dir / name), overlay)
        overlays = (overlays + [overlay])[:12]
        records.append(dict(to_record(sample, str(file)), overlay=name))
    if overlays:
        cv2.imwrite(str(out_dir / 'overview.jpg'), contact_sheet(overlays, columns=4))
    target = out_dir / 'predictions.json'
    target.write_text(json.dumps(_document(meta, records), indent=1))
    return Report(target, unreadable)


def _read_pictures(files: List[Path], pending: deque, unreadable: list) -> Iterator[np.ndarray]:
    # Yields pictures for `predict` and leaves in `pending` what belongs to each.
    for file, name in zip(files, _overlay_names(files)):
        picture = cv2.imread(str(file))
        if picture is None:
            unreadable.append(str(file))
        else:
            pending.append((file, name, picture))
            yield picture


def _document(meta: dict, records: List[dict]) -> dict:
    keypoint_names = [meta['keypoint_id2name'][i] for i in range(len(meta['keypoint_id2name']))]
    return dict(schema=SCHEMA, keypoint_names=keypoint_names,
                skeleton=[list(map(int, link)) for link in meta['skeleton_links']],
                pictures=records)


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
