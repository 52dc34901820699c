"""Which keypoints the sources of merged annotations label: settings and files, read and checked.

Records are the entries of `images` in an annotation file. Shape shorthand: K keypoints.
"""

import warnings
from collections.abc import Collection, Hashable, Mapping, Sequence

from ..environment.printing import one_line
from ..errors import InputError
from ..method.layouts import names_of


def keypoint_names(metainfo: Mapping) -> list[str]:
    """Return the K names of parsed MMPose metainfo, in order."""
    return list(names_of(metainfo))


def read_labels(setting: Mapping | None, names: Sequence[str]) -> tuple[str | None, dict]:
    """Read a `labeled_keypoints` setting.

    Args:
        setting: `field`, a field of the records, and value of it -> names of labeled keypoints;
            or None.
        names: the K known names.

    Returns:
        The field, None without a setting, and value -> set of places in `names`.

    Raises:
        ValueError: the setting has another form, or names an unknown keypoint.
    """
    if setting is None:
        return None, {}
    if (
        not isinstance(setting, Mapping)
        or not isinstance(setting.get('field'), str)
        or len(setting) < 2
    ):
        raise InputError(
            "labeled_keypoints must be like dict(field='source', mpii=['neck', …]): "
            f'a field of the image records, and names by its value; found {setting}'
        )
    labels = {value: listed for value, listed in setting.items() if value != 'field'}
    for value, listed in labels.items():
        if not isinstance(listed, (list, tuple, set)) or not listed:
            raise InputError(
                f'labeled_keypoints[{value!r}] must be a list of keypoint names; found {listed!r}'
            )
        unknown = [name for name in listed if name not in names]
        if unknown:
            raise InputError(
                f'labeled_keypoints[{value!r}] names the unknown keypoints {unknown};'
                f' known are {list(names)}'
            )
    return setting['field'], {
        value: {names.index(name) for name in listed} for value, listed in labels.items()
    }


def read_where(setting: Mapping | None) -> dict[str, list]:
    """Read a `where` setting: field -> list of values, empty without a setting.

    Raises:
        ValueError: the setting is no such mapping, or lists no value.
    """
    if setting is None:
        return {}
    if not isinstance(setting, Mapping) or not all(isinstance(field, str) for field in setting):
        raise InputError(
            "where must be like dict(source='mpii') or dict(source=['mpii', 'coco']);"
            f' found {setting!r}'
        )
    wanted = {
        field: list(values) if isinstance(values, (list, tuple, set)) else [values]
        for field, values in setting.items()
    }
    if not wanted or not all(wanted.values()):
        raise InputError(f'where must hold at least one value of each field; found {setting!r}')
    return wanted


def check_fields(records: Collection[Mapping], fields: Collection[str], file: str) -> None:
    """Check that records have the fields, with numbers, strings or other single values.

    Raises:
        ValueError: no record has one of them, or one has a list or mapping in it.
    """
    for field in fields:
        if not any(field in record for record in records):
            known = sorted({name for record in records for name in record})
            raise InputError(
                f'{file}: no image record has the field {field!r}; found the fields {known}'
            )
        for record in records:
            if not isinstance(record.get(field), Hashable):
                raise InputError(
                    f'{file}: the field {field!r} of image records must be a string '
                    f'or number; found {record[field]!r}'
                )


def warn_unused(records: Collection[Mapping], field: str, labels: Mapping, file: str) -> None:
    """Warn of values with labels that no record has: misspelled, they would have no effect."""
    found = found_values(records, field)
    unused = [value for value in labels if value not in found]
    if unused:
        warnings.warn(
            one_line(
                f'labeled_keypoints lists {unused}, which no image of {file} has as '
                f'{field!r}; found {found}'
            ),
            stacklevel=2,
        )


def found_values(records: Collection[Mapping], field: str) -> list:
    """Return the values of a field, each once, in the order in which records have them."""
    return list(dict.fromkeys(record.get(field) for record in records))


def select(records: Sequence[Mapping], where: Mapping[str, list], file: str) -> Sequence[Mapping]:
    """Keep the records that have one of the wanted values in every field.

    Args:
        records: of a file.
        where: as `read_where` returns it; empty keeps all.
        file: for messages.

    Raises:
        ValueError: none is left.
    """
    kept = [
        record
        for record in records
        if all(record.get(field) in values for field, values in where.items())
    ]
    if where and not kept:
        found = {field: found_values(records, field) for field in where}
        raise InputError(
            f'where={dict(where)} leaves none of the {len(records)} images of {file}; found {found}'
        )
    return kept


def places_of(names: Sequence[str], found: Sequence[str], owner: str) -> list[int]:
    """Return the places in `names` of the names found.

    Args:
        names: the K known names.
        found: some of them, in any order.
        owner: who has them, for messages.

    Raises:
        ValueError: a name is unknown, or found twice.
    """
    unknown = [name for name in found if name not in names]
    if unknown or len(set(found)) < len(found):
        raise InputError(
            f'{owner} must name keypoints of the metainfo, each once; expected some '
            f'of {list(names)}, found {list(found)}'
            + (f', of which {unknown} are unknown' if unknown else '')
        )
    return [names.index(name) for name in found]
