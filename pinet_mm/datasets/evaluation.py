"""Evaluation that MMPose lacks: poses written in COCO's result format, and the AP of a file."""

import contextlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpose.registry import METRICS
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

from ..atomic import write_whole
from ..errors import InputError
from .check import Checked, Expected, check_file
from .check.categories import PERSON
from .limits import require_limit
from .matching import MAX_POSES, match_poses
from .pose_files import read_entries, to_entries

# Their places in `COCOeval.stats`.
STATISTICS = dict(
    keypoints={'AP': 0, 'AP50': 1, 'AP75': 2, 'AR': 5},
    keypoints_crowd={'AP': 0, 'AP50': 1, 'AP75': 2, 'AR': 3, 'AP(E)': 6, 'AP(M)': 7, 'AP(H)': 8},
)


@METRICS.register_module()
class CocoResults(BaseMetric):
    """Write all poses of an evaluation to one JSON file, beside a metric.

    The file is a list with an entry for every pose, in pixels of the original image: `image_id`,
    `category_id`, `keypoints` ([x, y, keypoint score] × K in one row) and `score`, by which
    `CocoMetric` with the same `score_mode` ranks it as well.
    Images without poses have no entry; without any pose the list is empty.

    Args:
        path: the file; its folder is made if it is missing.
        collect_device: what several processes exchange their poses on, 'cpu' or 'gpu'.
        category_id: id of the person category in the annotations.
        score_mode: 'keypoint': `score` is the mean of a pose's keypoint scores; 'bbox': it is the
            pose's own, `bbox_scores`.

    Raises:
        InputError: `score_mode` is neither.
    """

    default_prefix = 'results'  # not used; MMEngine warns without one

    def __init__(
        self,
        path: str,
        collect_device: str = 'cpu',
        category_id: int = PERSON,
        score_mode: str = 'keypoint',
    ):
        super().__init__(collect_device=collect_device)
        if score_mode not in ('keypoint', 'bbox'):
            raise InputError(f"score_mode must be 'keypoint' or 'bbox'; found {score_mode!r}")
        self.score_mode = score_mode
        self.path, self.category_id = Path(path), category_id

    def process(self, data_batch: Sequence[dict], data_samples: Sequence[dict]) -> None:
        """Keep the poses of a batch, without a copy: a metric beside it keeps the same arrays.

        Args:
            data_batch: not used; MMEngine passes it.
            data_samples: with `img_id` and `pred_instances`, as the model returns them.
        """
        for sample in data_samples:
            poses = sample['pred_instances']
            scores = poses['bbox_scores'] if self.score_mode == 'bbox' else None
            self.results.append(
                (sample['img_id'], poses['keypoints'], poses['keypoint_scores'], scores)
            )

    def compute_metrics(self, results: Sequence[tuple]) -> dict[str, float]:
        """Write the file; there is no number to report.

        Args:
            results: id, keypoints, keypoint scores and, by `score_mode`, scores of every image.
        """
        entries = [
            entry
            for image_id, keypoints, keypoint_scores, scores in results
            for entry in to_entries(image_id, keypoints, keypoint_scores, self.category_id, scores)
        ]
        write_whole(self.path, json.dumps(entries))
        print_log(
            f'{len(entries)} poses of {len(results)} images are in {self.path}', logger='current'
        )
        return {}


def average_precision(
    results: str | Path,
    annotations: str | Path,
    sigmas: Sequence[float],
    iou_type: str = 'keypoints',
    max_poses: int = MAX_POSES,
    names: Sequence[str] | None = None,
) -> dict[str, float]:
    """Evaluate a file of poses as `CocoMetric` does with `score_mode='keypoint', nms_mode='none'`.

    The people's areas are the annotated ones or, where annotations have none (CrowdPose), 0.53 of
    their boxes.

    Args:
        results: file in COCO's result format, ranked by `score`.
        annotations: file of COCO annotations.
        sigmas: K OKS sigmas.
        iou_type: 'keypoints', or 'keypoints_crowd' with AP of easy, medium and hard images too.
        max_poses: how many poses of an image count, the best first. COCO's protocol has 20; AP by
            difficulty is defined for 20 only.
        names: K names of the poses' keypoints, into whose order those of the annotations are
            brought; by default the file's own order counts.

    Returns:
        `AP`, `AP50`, `AP75` and `AR`, with crowds also `AP(E)`, `AP(M)` and `AP(H)`.

    Raises:
        FileNotFoundError: a file is missing.
        InputError: a file cannot be used, or has another number of keypoints than there are sigmas;
            images are not annotated or lack a crowd index that is needed; or `max_poses` is below
            1, or not 20 with 'keypoints_crowd'.
    """
    require_limit(max_poses, iou_type)
    for path in (results, annotations):
        if not Path(path).is_file():
            raise FileNotFoundError(f'the file {path} does not exist')
    entries, note = read_entries(results, len(sigmas))
    if note:
        print_log(note, 'current')
    people = check_truth(annotations, iou_type, names)
    people.require_count(len(sigmas), 'there are sigmas')
    truth = to_coco(people)
    require_images((entry['image_id'] for entry in entries), truth, results, annotations)
    return precision_of(entries, truth, sigmas, iou_type, max_poses)


def precision_of(
    entries: Sequence[dict],
    truth: COCO,
    sigmas: Sequence[float],
    iou_type: str = 'keypoints',
    max_poses: int = MAX_POSES,
) -> dict[str, float]:
    """Evaluate poses as `average_precision` does.

    Args:
        entries: poses in COCO's result format, of whatever category.
        truth: what `to_coco` returns.
        sigmas: K OKS sigmas.
        iou_type: see `average_precision`.
        max_poses: see `average_precision`.
    """
    entries = [dict(entry, category_id=PERSON) for entry in entries]
    use_area = all('area' in person for person in truth.anns.values())
    evaluation = match_poses(
        truth, entries, sigmas, iou_type, use_area, every_area=True, max_poses=max_poses
    )
    with contextlib.redirect_stdout(io.StringIO()):  # xtcocotools reports every step
        evaluation.accumulate()
        if max_poses != MAX_POSES:
            return _summarize(evaluation)
        evaluation.summarize()
    return {name: float(evaluation.stats[i]) for name, i in STATISTICS[iou_type].items()}


def _summarize(evaluation: COCOeval) -> dict[str, float]:
    """Return the numbers of `COCOeval.summarize`, which is written for 20 poses only."""
    # (thresholds, recalls, categories, areas, limits); the first area is all, -1 means nobody.
    precision = evaluation.eval['precision'][:, :, 0, 0, 0]
    recall = evaluation.eval['recall'][:, 0, 0, 0]
    if (precision < 0).all():
        return dict.fromkeys(STATISTICS['keypoints'], -1.0)
    values = precision.mean(), precision[0].mean(), precision[5].mean(), recall.mean()
    return dict(zip(STATISTICS['keypoints'], map(float, values)))


def check_truth(
    path: str | Path,
    iou_type: str = 'keypoints',
    names: Sequence[str] | None = None,
    category: str | int | None = None,
) -> Checked:
    """Check annotations to evaluate against.

    Args:
        path: file of COCO annotations.
        iou_type: 'keypoints', or 'keypoints_crowd', which needs crowd indices.
        names: see `average_precision`.
        category: name or id of the person category, where several have keypoints.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it cannot be used; all reasons.
    """
    expected = Expected(
        names,
        category,
        allow_outside=True,
        crowd_index=iou_type == 'keypoints_crowd',
        need_size=False,
    )
    return check_file(path, expected).require()


def to_coco(checked: Checked) -> COCO:
    """Return checked annotations as COCO's evaluation takes them; people have the category 1."""
    truth = COCO()
    truth.dataset = checked.data
    truth.anno_file = [checked.path]  # COCOeval reads crowd indices from there
    with contextlib.redirect_stdout(io.StringIO()):  # xtcocotools reports every step
        truth.createIndex()
    return truth


def require_images(
    image_ids: Iterable, truth: COCO, results: str | Path, annotations: str | Path
) -> None:
    """Check that the images of poses are annotated.

    Args:
        image_ids: of the poses.
        truth: the annotations.
        results: what messages call the poses' file.
        annotations: what messages call the annotations' file.

    Raises:
        InputError: some are not.
    """
    unknown = set(image_ids) - set(truth.getImgIds())
    if unknown:
        raise InputError(
            f'{len(unknown)} images of {results} are not in {annotations}, such as '
            f'image_id {min(unknown, key=str)!r}'
        )
