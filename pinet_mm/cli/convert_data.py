"""Convert predictions for other tools, and corrected ones back: pinet-mm data convert IN OUT.

IN is a predictions.json (or .jsonl), or an export of Label Studio (JSON) or CVAT (XML).
docs/inference.md says how the annotation tools take what is written.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..environment.printing import print_line
from ..errors import InputError
from . import command
from .options import POSE_THR_HELP, to_pose_thr

EXAMPLES = (
    'poses/predictions.json poses.csv',
    'poses/predictions.json cvat.json --to cvat',
    'poses/predictions.json cvat.xml --to cvat',
    'poses/predictions.json tasks.json --to label-studio',
    'poses/predictions.json results.json --to results --annotations val.json',
    'export.json train.json --predictions poses/predictions.json',
    'annotations.xml train.json',
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description='Convert predictions for other tools, and corrected ones back',
    )
    add = parser.add_argument
    add(
        'input',
        metavar='IN',
        help='a predictions.json or .jsonl, or an export of Label Studio or CVAT',
    )
    add('out', metavar='OUT', help='file to write')
    add(
        '--to',
        choices=tuple(FORMATS),
        help='a table; tasks for CVAT (COCO Keypoints 1.0, or CVAT 1.1 if OUT is .xml) or Label '
        'Studio; COCO results (csv, by the name of OUT). Exports become COCO annotations',
    )
    add(
        '--pose-thr',
        type=to_pose_thr,
        default='auto',
        metavar='SCORE',
        help=f'people with a lower score are left out ({POSE_THR_HELP})',
    )
    add('--annotations', metavar='FILE', help='COCO annotations that give image ids to the results')
    add(
        '--folder',
        metavar='ADDRESS',
        help='what Label Studio needs before the names of the image files (its local storage, and '
        'the folder in which each image lies)',
    )
    add(
        '--predictions',
        metavar='FILE',
        help='what was corrected, for the names and the order of the keypoints (needed for Label '
        'Studio; exports of CVAT have them)',
    )
    return parser


def run(args: argparse.Namespace) -> None:
    """Convert, write, and print how much.

    Raises:
        InputError: IN is of no known form, an option that it needs is missing, or one has no effect
            on it.
    """
    from ..atomic import write_whole
    from ..inference.documents import is_document, parse, results_of

    found = None if args.input.lower().endswith('.xml') else parse(args.input)
    if is_document(found):
        name = args.to or ('csv' if args.out.endswith('.csv') else None)
        if name is None:
            raise InputError(f'--to must say what {args.out} is to be: {", ".join(FORMATS)}')
        _refuse_idle(args, f'--to {name}', NEEDED[name])
        text = FORMATS[name](list(results_of(found, args.input)), args)
    else:
        make = _corrected_in_cvat if found is None else _corrected
        text = json.dumps(make(found, args))
    write_whole(args.out, text)
    print_line(f'{args.out} is written')


def _refuse_idle(args: argparse.Namespace, what: str, needed: Sequence[str]) -> None:
    unused = dict(to=None, pose_thr='auto', annotations=None, folder=None, predictions=None)
    for name, value in unused.items():
        if getattr(args, name) != value and name not in needed:
            raise InputError(f'--{name.replace("_", "-")} has no effect on {what}: leave it out')


def _to_csv(results: Sequence[Any], args: argparse.Namespace) -> str:
    import csv
    import io

    from ..inference.results.answers import COLUMNS
    from ..inference.results.records import to_rows

    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator='\n')
    writer.writeheader()
    for result in results:
        writer.writerows(to_rows(result.to_record(args.pose_thr), result.names))
    return table.getvalue()


def _to_cvat(results: Sequence[Any], args: argparse.Namespace) -> str:
    from ..inference.results.cvat_xml import to_cvat_xml
    from ..inference.results.exchange import to_cvat

    if args.out.lower().endswith('.xml'):
        return to_cvat_xml(results, pose_thr=args.pose_thr)
    return json.dumps(to_cvat(results, pose_thr=args.pose_thr))


def _to_label_studio(results: Sequence[Any], args: argparse.Namespace) -> str:
    from ..inference.results.exchange import to_label_studio

    return json.dumps(to_label_studio(results, args.folder, args.pose_thr))


def _to_results(results: Sequence[Any], args: argparse.Namespace) -> str:
    ids = _read_ids(args.annotations)
    found = []
    for result in results:
        name = Path(result.file).name
        if name not in ids:
            raise InputError(f'{args.annotations} has no image {name}')
        found += result.to_coco(ids[name], pose_thr=args.pose_thr)
    return json.dumps(found)


def _read_ids(path: str | None) -> dict[str, int]:
    if path is None:
        raise InputError('--to results needs --annotations, for the ids of the images')
    from ..inference.documents import parse

    found = parse(path)
    images = found.get('images') if isinstance(found, Mapping) else None
    if not isinstance(images, list) or not all(_is_record(each) for each in images):
        raise InputError(f'{path} must be COCO annotations: images, each with id and file_name')
    ids = {Path(each['file_name']).name: each['id'] for each in images}
    if len(ids) < len(images):
        raise InputError(
            f'{path} must give each image a file name of its own, folders aside; found {len(ids)} '
            f'names for {len(images)} images'
        )
    return ids


def _is_record(image: Any) -> bool:
    return isinstance(image, Mapping) and 'id' in image and isinstance(image.get('file_name'), str)


def _corrected(tasks: Any, args: argparse.Namespace) -> Mapping:
    from ..inference.results.exchange import from_label_studio

    is_export = isinstance(tasks, list) and all(isinstance(each, Mapping) for each in tasks)
    if not (is_export and all('data' in each for each in tasks)):
        raise InputError(
            f'{args.input} is neither a predictions.json nor an export of Label Studio or CVAT'
        )
    if args.predictions is None:
        raise InputError(
            f'{args.input} is an export of Label Studio: name the --predictions that were '
            'corrected, for the names of the keypoints'
        )
    _refuse_idle(args, 'an export of Label Studio', ['predictions'])
    return from_label_studio(tasks, _names_in(args.predictions))


def _corrected_in_cvat(_: Any, args: argparse.Namespace) -> Mapping:
    from ..inference.documents import read_file
    from ..inference.results.cvat_xml import from_cvat_xml

    _refuse_idle(args, 'an export of CVAT', ['predictions'])
    names = _names_in(args.predictions) if args.predictions else ()
    content = read_file(args.input)
    try:
        return from_cvat_xml(content, names)
    except InputError as error:
        raise InputError(f'{args.input}: {error}') from error


def _names_in(path: str) -> list[str]:
    from ..inference.documents import parse, require_document

    document = parse(path)
    require_document(document, path)
    return document['keypoint_names']


FORMATS: dict[str, Callable[[Sequence[Any], argparse.Namespace], str]] = {
    'csv': _to_csv,
    'cvat': _to_cvat,
    'label-studio': _to_label_studio,
    'results': _to_results,
}

# Beside IN and OUT, the options that count.
NEEDED = {
    'csv': ('to', 'pose_thr'),
    'cvat': ('to', 'pose_thr'),
    'label-studio': ('to', 'pose_thr', 'folder'),
    'results': ('to', 'pose_thr', 'annotations'),
}

main = command(make_parser, run, examples=EXAMPLES)
