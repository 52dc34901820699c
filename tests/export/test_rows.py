"""What a limit on the people of an exported file costs is said."""

from pinet_mm.export.graph import note_on_rows

from tests.helpers.toys import build_model


def test_fewer_rows_than_proposals_are_told():
    model = build_model('three', dict(flip_test=False, max_per_part=5))  # 3 parts × 5
    assert note_on_rows(model, None) is None and note_on_rows(model, 15) is None
    said = note_on_rows(model, 14)
    assert said.startswith('--max-poses 14: of an image with more people the file gives the 14')
    assert 'without the option it has 15 rows' in said
