"""Evaluation of keypoints, with xtcocotools' rules where they differ from pycocotools'.

- A keypoint is labeled if its visibility is above 0; on CrowdPose `num_keypoints` decides.
- Poses without any score above 0 are left out.
- People without an area, or all people with `use_area=False`, have 0.53 of their box.
- The id of an annotation may be 0.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from pycocotools import cocoeval

from .coco import COCO

try:
    import faster_coco_eval as faster
except ImportError:
    faster = None

KEYPOINTS, CROWD = 'keypoints', 'keypoints_crowd'


class COCOeval(cocoeval.COCOeval):
    """Evaluate poses as xtcocotools does, by faster-coco-eval where that is installed.

    Args:
        cocoGt: the annotations.
        cocoDt: the poses, as `cocoGt.loadRes` returns them.
        iouType: 'keypoints' or, with crowd indices of all images, 'keypoints_crowd'.
        sigmas: K OKS sigmas, by default those of COCO's 17 keypoints.
        use_area: OKS with the annotated areas; else with 0.53 of the boxes.

    Raises:
        ImportError: the protocol needs a package that is not installed.
    """

    def __init__(
        self,
        cocoGt: COCO | None = None,
        cocoDt: COCO | None = None,
        iouType: str = KEYPOINTS,
        sigmas: Sequence[float] | None = None,
        use_area: bool = True,
    ):
        if iouType not in (KEYPOINTS, CROWD):
            raise ImportError(
                f'{iouType!r} is evaluated by xtcocotools alone: '
                'pip install xtcocotools, which has wheels up to Python 3.11'
            )
        if iouType == CROWD and faster is None:
            raise ImportError(f'{CROWD!r} (CrowdPose) needs: pip install faster-coco-eval')
        super().__init__(cocoGt, cocoDt, KEYPOINTS)
        self.params.iouType = iouType
        if sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas)
        self.use_area = use_area

    # --- what is evaluated -----------------------------------------------------------------------

    def evaluate(self):
        """Match the poses of each image with its people; with faster-coco-eval, compute AP too."""
        p = self.params
        p.imgIds, p.catIds = list(np.unique(p.imgIds)), list(np.unique(p.catIds))
        p.maxDets = sorted(p.maxDets)
        self._prepare()
        if faster is None:
            self.evalImgs = self._match()
        else:
            self._evaluate_faster()
        self._paramsEval = p

    def _prepare(self):
        self._matched = self._given = self._faster = None
        self._gts, self._dts = defaultdict(list), defaultdict(list)
        for number, person in enumerate(self._chosen(self.cocoGt), 1):
            key = person['image_id'], person['category_id']
            self._gts[key].append(self._as_counted(person, number))
        for pose in self._chosen(self.cocoDt):
            if any(score > 0 for score in pose['keypoints'][2::3]):
                self._dts[pose['image_id'], pose['category_id']].append(pose)

    def _chosen(self, coco: COCO) -> list[dict]:
        return coco.loadAnns(coco.getAnnIds(imgIds=self.params.imgIds, catIds=self.params.catIds))

    def _as_counted(self, person: dict, number: int) -> dict:
        """Copy a person, with a number from 1 in place of the id, which may be 0."""
        labeled = person['num_keypoints']
        if self.params.iouType == KEYPOINTS:
            labeled = sum(visible > 0 for visible in person['keypoints'][2::3])
        area = person['area'] if self.use_area and 'area' in person else _box_area(person)
        ignored = int(not labeled or bool(person.get('iscrowd')))
        iscrowd = int(person.get('iscrowd', 0))
        changes = dict(id=number, area=area, num_keypoints=labeled, iscrowd=iscrowd, ignore=ignored)
        return {**person, **changes, 'given_id': person['id']}

    # --- AP by faster-coco-eval ------------------------------------------------------------------

    def _evaluate_faster(self):
        p = self.params
        numbers = {image: i for i, image in enumerate(p.imgIds, 1)}  # ids may be strings
        images = [dict(self.cocoGt.imgs[image], id=i) for image, i in numbers.items()]
        truth, poses = (
            self._in_faster(images, numbers, entries) for entries in (self._gts, self._dts)
        )
        self._faster = faster.COCOeval_faster(
            truth, poses, p.iouType, print_function=print, kpt_oks_sigmas=p.kpt_oks_sigmas
        )
        for name in ('catIds', 'iouThrs', 'recThrs', 'maxDets', 'areaRng', 'areaRngLbl'):
            setattr(self._faster.params, name, getattr(p, name))
        self._faster.evaluate()

    def _in_faster(self, images: list[dict], numbers: dict, entries: dict):
        annotations = [
            dict(entry, image_id=numbers[image])
            for (image, _), entries_of_image in entries.items()
            for entry in entries_of_image
        ]
        categories = [dict(id=int(i), name=str(i)) for i in self.params.catIds]
        return faster.COCO(dict(images=images, annotations=annotations, categories=categories))

    # --- matches in Python -----------------------------------------------------------------------

    @property
    def evalImgs(self):
        """The matches of each image, as xtcocotools has them; -1: not matched."""
        if self._given is not None:
            return self._given
        if self._matched is None:
            self._matched = self._match()
        return self._matched

    @evalImgs.setter
    def evalImgs(self, images: Iterable[dict | None]):
        """Set what `accumulate` reads, such as the matches of some images."""
        self._given = images

    def _match(self) -> list[dict | None]:
        p = self.params
        pairs = [(image, category) for category in p.catIds for image in p.imgIds]
        self.ious = {pair: self.computeOks(*pair) for pair in pairs}
        return [
            self.evaluateImg(image, category, area, p.maxDets[-1])
            for category in p.catIds
            for area in p.areaRng
            for image in p.imgIds
        ]

    def evaluateImg(self, imgId, catId, aRng, maxDet):
        """Match the poses of an image; return the ids of people, not the numbers in their place."""
        image = super().evaluateImg(imgId, catId, aRng, maxDet)
        if image is None:
            return None
        given = {person['id']: person['given_id'] for person in self._gts[imgId, catId]}
        image['gtIds'] = [given[number] for number in image['gtIds']]
        owners = [[given.get(number, -1) for number in row] for row in image['dtMatches']]
        image['dtMatches'] = np.array(owners, np.int64).reshape(image['dtMatches'].shape)
        poses = image['gtMatches'].astype(np.int64)
        return dict(image, gtMatches=np.where(poses > 0, poses, -1))

    # --- AP --------------------------------------------------------------------------------------

    def accumulate(self, p=None):
        """Compute precision at each recall: that of `evalImgs`, if they were given."""
        if self._given is None:
            self._faster.accumulate()
            self.eval = self._faster.eval
            return
        given = self._given
        self._given = [  # pycocotools takes 0 for not matched
            image and dict(image, dtMatches=image['dtMatches'] >= 0) for image in given
        ]
        try:
            super().accumulate(p)
        finally:
            self._given = given

    def summarize(self):
        """Compute and print AP and AR; on CrowdPose also AP of easy, medium and hard images."""
        if self._given is None:
            self._faster.summarize()
            self.stats = self._faster.stats
        else:
            super().summarize()


def _box_area(person: dict) -> float:
    return person['bbox'][3] * person['bbox'][2] * 0.53
