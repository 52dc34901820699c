"""The result of a comparison, as a JSON document and as one line."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..datasets.matching import MAX_POSES
from .judging import OKS_THR, Comparison
from .sides import Side

SCHEMA = 'pinet_mm.comparison/1'


def to_record(
    names: Sequence[str], file: Path, comparison: Comparison, drawing: str | None
) -> dict:
    """Count who was found in an image.

    Args:
        names: the models'.
        file: of the image.
        comparison: what the models did with it.
        drawing: name of its drawing, None without.
    """
    persons = comparison.persons
    total = None if persons is None else len(persons.boxes)
    models = {
        name: dict(
            poses=len(view.poses),
            missed=len(view.missed),
            found=None if total is None else total - len(view.missed),
        )
        for name, view in zip(names, comparison.views)
    }
    return dict(
        file=str(file),
        drawing=drawing,
        persons=total,
        crowd_index=None if persons is None else persons.crowd_index,
        models=models,
    )


def to_document(
    sides: Sequence[Side],
    annotations: str | Path | None,
    records: Sequence[dict],
    left_out: Iterable[Path],
    unreadable: Iterable[Path],
) -> dict:
    """Return the records of all images and their sums as one document.

    Args:
        sides: the models.
        annotations: the file, None without.
        records: see `to_record`.
        left_out: images without annotations.
        unreadable: files that are not images.
    """
    return dict(
        schema=SCHEMA,
        annotations=annotations and str(annotations),
        oks_thr=OKS_THR,
        max_poses=None if annotations is None else MAX_POSES,
        models=[
            dict(name=side.name, pose_thr=side.pose_thr, **side.spec._asdict()) for side in sides
        ],
        totals=_totals([side.name for side in sides], records),
        pictures=records,
        left_out=list(map(str, left_out)),
        unreadable=list(map(str, unreadable)),
    )


def _totals(names: Sequence[str], records: Sequence[dict]) -> dict:
    models = {
        name: {
            key: _total(record['models'][name][key] for record in records)
            for key in ('poses', 'missed', 'found')
        }
        for name in names
    }
    persons = _total(record['persons'] for record in records)
    return dict(pictures=len(records), persons=persons, models=models)


def _total(values: Iterable[int | None]) -> int | None:
    values = list(values)
    return None if None in values else sum(values)


def summary(document: dict) -> str:
    """Return one line on what a comparison found."""
    totals = document['totals']
    count, models = _images(totals['pictures']), totals['models'].items()
    if totals['persons'] is None:
        parts = [
            f"{name} has {each['poses']} poses and misses {each['missed']} of the other's"
            for name, each in models
        ]
    else:
        count += f', {totals["persons"]} people'
        parts = [
            f'{name} found {each["found"]} with {each["poses"]} poses' for name, each in models
        ]
    left_out = len(document['left_out'])
    crowded = sum(_is_crowded(record) for record in document.get('pictures', ()))
    cut = (
        f'; {_images(crowded)} with more than {MAX_POSES} people or poses, of which the best '
        f"{MAX_POSES} poses count, as in COCO's evaluation"
    )
    without = f'; {_images(left_out)} without annotations left out' if left_out else ''
    return f'{count}: {"; ".join(parts)}{cut if crowded else ""}{without}'


def _is_crowded(record: dict) -> bool:
    """Return whether the limit on poses may have cut somebody off; it counts with people alone."""
    if record['persons'] is None:
        return False
    most = max(each['poses'] for each in record['models'].values())
    return max(record['persons'], most) > MAX_POSES


def _images(count: int) -> str:
    return '1 image' if count == 1 else f'{count} images'
