"""The order of keypoints in an annotation file, where it is read without the check of a run.

`pinet-mm train` and `pinet-mm test` bring keypoints into the metainfo's order by their names.
MMPose's own tools read them as they come.
"""

from collections.abc import Mapping, Sequence

from ..errors import InputError
from .check import KINDS, Findings
from .check.categories import order_keypoints

REFUSED = ('keypoint-order', 'keypoint-names-moved', 'keypoint-count')
CURE = (
    'pinet-mm train and pinet-mm test read them by their names; pinet-mm data check FILE '
    '--metainfo METAINFO --fix DIR writes a copy in the order of the metainfo'
)


def require_order(data: Mapping, names: Sequence[str], file: str) -> None:
    """Check that the categories of people name their keypoints in the metainfo's order.

    Args:
        data: the content of the file.
        names: K names of the metainfo's keypoints; nothing is checked without any.
        file: what the message calls it.

    Raises:
        InputError: a category whose people the file has names other keypoints, or in another order.
    """
    used = {each.get('category_id') for each in data.get('annotations', ())}
    findings = Findings(KINDS)
    for category in data.get('categories', ()) if names else ():
        if category.get('id') in used:
            order_keypoints(dict(category), names, findings)
    for each in findings:
        if each.kind in REFUSED:
            cure = CURE if each.kind == 'keypoint-order' else each.what.cure
            raise InputError(
                f'{file}: categories: keypoints: expected {each.what.expected}, '
                f'{", ".join(names)}; found {each.found}; {cure}'
            )
