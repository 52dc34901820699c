"""Two models run on the same images: drawings, an overview and a JSON document."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from tqdm import tqdm

from ..atomic import write_whole
from ..datasets.labeling import keypoint_names
from ..environment.printing import one_line
from ..errors import InputError
from ..inference.prediction import predict
from ..inference.runs.overlays import OverlayFolder, overlay_names
from ..inference.sources.images import find_images, read_image
from .annotations import Annotations
from .document import to_document, to_record
from .drawing import draw
from .judging import Comparison, choose, judge_by_annotations, judge_each_other
from .sides import Side, counted_poses

IN_ONE_COLUMN = 3  # drawings of the overview, which are wide


class Report(NamedTuple):
    """Outcome of `compare`: its JSON, as a file and as a dictionary."""

    json: Path
    document: dict


def compare(
    sides: Sequence[Side],
    inputs: Iterable[str | Path],
    out_dir: str | Path,
    annotations: str | Path | None = None,
    hardest: int | None = None,
    most_different: int | None = None,
    category: str | int | None = None,
) -> Report:
    """Write a drawing for every image, `overview.jpg` and `comparison.json`.

    Images in `out_dir` are not read.

    Args:
        sides: what `load_sides` returns.
        inputs: images and folders.
        out_dir: made if it is missing.
        annotations: a COCO-format JSON file; images that it lacks are left out, by name.
        hardest: draw only this many images, see `judging.hardest_first`; all are counted.
        most_different: the same by `judging.most_different_first`; with both, this many of the
            hardest ones.
        category: name or id of the person category, where several have keypoints.

    Returns:
        A `Report`; the JSON holds each image's counts and their sums.

    Raises:
        FileNotFoundError: an input or the annotation file is missing, or all images lie in
            `out_dir`.
        OSError: drawings could not be written; the JSON is, and names only the others.
        ValueError: no image is annotated or can be read, one is not of its annotated size, or
            `hardest` or `most_different` is below 1 or has no annotations to go by.
    """
    check_numbers(hardest, most_different, annotations)
    out_dir, meta = Path(out_dir), sides[0].model.dataset_meta
    sizes, unreadable = _read_sizes(find_images(inputs, out_dir))
    names = keypoint_names(meta)
    truth = annotations and Annotations(annotations, len(names), names, category)
    if truth and hardest is not None:
        truth.require_crowd_indices()
    files, left_out = _part_annotated(list(sizes), truth)
    for note in [*_notes_on(sides), *(truth.notes if truth else ())]:
        print_log(one_line(note))
    for file in files if truth else ():
        truth.require_size(file, sizes[file])
    compared = _compare_all(sides, files, truth)
    chosen = choose(compared, hardest, most_different)
    columns = 1 if len(chosen) <= IN_ONE_COLUMN else 2
    drawings = OverlayFolder(out_dir, columns, cell=960, gap=12)
    titles = [side.name for side in sides]
    drawn = _draw_all(drawings, {files[i]: compared[i] for i in chosen}, titles, meta)
    records = [
        to_record(titles, file, each, drawn.get(file)) for file, each in zip(files, compared)
    ]
    document = to_document(sides, annotations, records, left_out, unreadable)
    target = out_dir / 'comparison.json'
    write_whole(target, json.dumps(document, indent=1))
    drawings.require_all(target)
    return Report(target, document)


def check_numbers(
    hardest: int | None, most_different: int | None, annotations: str | Path | None
) -> None:
    """Check how many drawings are asked for, see `compare`.

    Args:
        hardest: see `compare`.
        most_different: see `compare`.
        annotations: see `compare`.

    Raises:
        InputError: a number is below 1, or there are no annotations to go by.
        FileNotFoundError: there is no such file of annotations.
    """
    for name, number in dict(hardest=hardest, most_different=most_different).items():
        if number is not None and number < 1:
            raise InputError(f'{name} must be at least 1; found {number}')
        if number is not None and not annotations:
            raise InputError(f'{name} needs annotations, by which images are chosen; found none')
    if annotations and not Path(annotations).is_file():
        raise FileNotFoundError(f'the annotation file {annotations} does not exist')


def _read_sizes(files: Sequence[Path]) -> tuple[dict[Path, tuple[int, int]], list[Path]]:
    # (h, w) of images as they are shown; and files that are none.
    found = {file: _size_of(file) for file in files}
    sizes = {file: size for file, size in found.items() if size}
    if not sizes:
        raise InputError(f'{files[0]} is no image that can be read')
    return sizes, [file for file in files if file not in sizes]


def _size_of(file: Path) -> tuple[int, int] | None:
    try:
        return read_image(file).shape[:2]
    except InputError:
        return None


def _notes_on(sides: Sequence[Side]) -> list[str]:
    first, second = (np.asarray(side.model.dataset_meta['sigmas']) for side in sides)
    if np.array_equal(first, second):
        return []
    return [f'the models have other OKS sigmas: those of {sides[0].name} count for both']


def _part_annotated(
    files: Sequence[Path], truth: Annotations | None
) -> tuple[list[Path], list[Path]]:
    # Images with annotations, all without a file of them, and the others.
    left_out = [file for file in files if truth and truth.find(file) is None]
    annotated = [file for file in files if file not in left_out]
    if not annotated:
        raise InputError(
            f'{truth.path} has none of the {len(left_out)} images, such as {left_out[0].name}'
        )
    return annotated, left_out


def _compare_all(
    sides: Sequence[Side], files: Sequence[Path], truth: Annotations | None
) -> list[Comparison]:
    sigmas = np.asarray(sides[0].model.dataset_meta['sigmas'], dtype=np.float64)
    with tqdm(total=len(sides) * len(files), unit=' images') as progress:
        found = [_poses_of(side, files, progress) for side in sides]
    if truth is None:
        return [judge_each_other(poses, sigmas) for poses in zip(*found)]
    return [
        judge_by_annotations(poses, truth.persons(truth.find(file)), sigmas)
        for file, *poses in zip(files, *found)
    ]


def _poses_of(side: Side, files: Sequence[Path], progress: tqdm) -> list[InstanceData]:
    found = []
    for sample in predict(side.model, files):
        found.append(counted_poses(sample, side.pose_thr))
        progress.update()
    return found


def _draw_all(
    drawings: OverlayFolder, chosen: dict[Path, Comparison], names: Sequence[str], meta: dict
) -> dict[Path, str | None]:
    # The names of the drawings; None of those that could not be written.
    written = {}
    for (file, comparison), name in zip(chosen.items(), overlay_names(chosen)):
        drawn = draw(read_image(file), comparison, names, meta)
        written[file] = drawings.write(name, drawn)
    drawings.write_overview()
    return written
