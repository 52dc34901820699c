"""Which category of a file holds people, and in which order it names their keypoints."""

import re
from collections.abc import Sequence

from .findings import Findings, Said
from .listing import as_number

PERSON = 1  # the id that COCO's people have, and MMPose's metric expects


def choose_category(data: dict, wanted: str | int | None, findings: Findings) -> list[dict]:
    """Choose the category whose keypoints count.

    Args:
        data: the content of a file.
        wanted: name or id of the category; None takes the one that has keypoints.
        findings: receives a fault if there is none, or a choice.

    Returns:
        The record of the category; several if it has to be named, none if the file has none.
    """
    categories = [each for each in data['categories'] if isinstance(each, dict)]
    if not categories:
        findings.add('category-id-type', None, data['categories'])
    if not categories or not _are_readable(categories, findings):
        return []
    if wanted is not None:
        return _find_category(categories, wanted, findings)
    used = _used_with_keypoints(data, categories)
    described = [each for each in categories if each.get('keypoints')]
    # Of several with keypoints, those that annotations use.
    candidates = [each for each in described if each in used] or described or used or categories
    if len(candidates) > 1:
        findings.add('categories-ambiguous', None, _names(candidates))
    return candidates


def _find_category(categories: Sequence[dict], wanted: str | int, findings: Findings) -> list[dict]:
    named = [each for each in categories if wanted in (each.get('name'), each.get('id'))]
    named = named or [each for each in categories if str(each.get('id')) == str(wanted)]
    if not named:
        findings.add('category-unknown', None, _names(categories))
    return named[:1]


def _are_readable(categories: Sequence[dict], findings: Findings) -> bool:
    readable = True
    for each in categories:
        if isinstance(each.get('id'), (list, dict)):
            findings.add('category-id-type', None, each['id'])
            readable = False
        if not isinstance(each.get('keypoints', []), (list, type(None))):
            findings.add('category-names-type', each.get('id'), each['keypoints'])
            readable = False
    return readable


def _used_with_keypoints(data: dict, categories: Sequence[dict]) -> list[dict]:
    used = {
        each.get('category_id')
        for each in data['annotations']
        if each.get('keypoints') and not isinstance(each.get('category_id'), (list, dict))
    }
    return [each for each in categories if each.get('id') in used]


def _names(categories: Sequence[dict]) -> Said:
    return Said(', '.join(f'{each.get("name")!r} (id {each.get("id")!r})' for each in categories))


def keep_category(data: dict, category: dict, findings: Findings) -> None:
    """Remove other objects than people, in place, and give the person category the id 1.

    Args:
        data: the content of a file.
        category: the person category.
        findings: receives what was left out or renumbered.
    """
    known = {each.get('id') for each in data['categories'] if isinstance(each, dict)}
    wanted, kept = category.get('id'), []
    for annotation in data['annotations']:
        found = as_number(annotation, 'category_id', known, findings)
        if found is None and len(known) == 1:
            findings.add('category-missing', annotation.get('id'))
        elif isinstance(found, (list, dict)) or found not in known:
            findings.add('category-undescribed', annotation.get('id'), found)
            continue
        elif found != wanted:
            findings.add('other-category', annotation.get('id'), found)
            continue
        annotation['category_id'] = PERSON
        kept.append(annotation)
    if data['annotations'] and not kept:
        findings.add('nobody-left')
    if wanted != PERSON:
        findings.add('category-id', None, wanted)
        category['id'] = PERSON
    data['annotations'], data['categories'] = kept, [category]


def order_keypoints(category: dict, names: Sequence[str], findings: Findings) -> list[int] | None:
    """Compare the names of a category's keypoints with those of the metainfo.

    Args:
        category: the person category; its names are put into the metainfo's order.
        names: K names in the metainfo's order.
        findings: receives other names, other orders and other counts.

    Returns:
        For each keypoint of the metainfo its place in the file; None if the places are the same.
    """
    listed = category.get('keypoints')
    if not listed:
        return None
    if len(listed) != len(names):
        findings.add('keypoint-count', None, Said(', '.join(map(str, listed))))
        return None
    found, wanted = [_plain(name) for name in listed], [_plain(name) for name in names]
    if found == wanted:
        return None
    if sorted(found) != sorted(wanted) or len(set(found)) < len(found):
        elsewhere = any(a != b and a in wanted for a, b in zip(found, wanted))
        kind = 'keypoint-names-moved' if elsewhere else 'keypoint-names'
        findings.add(kind, None, Said(', '.join(map(str, listed))))
        return None
    findings.add('keypoint-order', None, Said(', '.join(map(str, listed))))
    category['keypoints'] = [listed[found.index(name)] for name in wanted]
    category.pop('skeleton', None)  # it counts places of the old order
    return [found.index(name) for name in wanted]


def _plain(name: object) -> str:
    """Return a name as it is compared: 'Left Shoulder' and 'left_shoulder' are one."""
    return re.sub(r'[^a-z0-9]+', '_', str(name).lower()).strip('_')
