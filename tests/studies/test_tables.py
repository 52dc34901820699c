"""Tables in Markdown."""

from studies.tables import to_markdown


def test_a_table_by_hand():
    assert to_markdown(['what', 'ms'], [['a|b', '1.50'], ['', '–']]) == (
        '| what | ms |\n|--------|------|\n| a\\|b | 1.50 |\n|  | – |'
    )
