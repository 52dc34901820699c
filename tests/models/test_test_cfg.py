"""The settings of inference: what is refused, what is the default, the order of scales."""

from pinet_mm.errors import InputError
from pinet_mm.models.test_cfg import TestSettings

import pytest


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(max_per_part=0), 'max_per_part must be at least 1; found 0'),
        (dict(use_agreement='no'), "use_agreement must be True or False; found 'no'"),
        (dict(use_peaks=None), 'use_peaks must be True or False; found None'),
        (dict(use_fusion=None), 'use_fusion must be True or False; found None'),
        (dict(max_per_part=2.5), 'max_per_part must be a whole number; found 2.5'),
        (dict(part_thr='0.1'), "part_thr must be a number; found '0.1'"),
        (dict(part_thr=float('nan')), 'part_thr must be a finite number; found nan'),
        # A bool is an int to Python: True would be one proposal per part, or OKS above 1.
        (dict(part_thr=False), 'part_thr must be a number; found False'),
        (dict(oks_thr=True), 'oks_thr must be a number; found True'),
        (dict(max_per_part=True), 'max_per_part must be a whole number; found True'),
        (dict(scale_factors=(True, 2)), r'different positive numbers, .*; found \(True, 2\)'),
        (dict(scale_factors=(1, float('nan'))), r'positive numbers, .*; found \(1, nan\)'),
        (dict(oks_thr=7), 'oks_thr must be between 0 and 1; found 7'),
    ],
)
def test_wrong_values_of_settings_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        TestSettings.from_cfg(wrong)


def test_defaults_are_the_methods():
    settings = TestSettings.from_cfg({})
    assert (settings.part_thr, settings.max_per_part, settings.oks_thr) == (0.01, 30, 0.7)
    assert settings.use_peaks and settings.use_fusion and not settings.flip_test


def test_flags_may_be_0_and_1():
    settings = TestSettings.from_cfg(dict(use_fusion=0, use_agreement=1))
    assert settings.use_fusion is False and settings.use_agreement is True
    assert settings.use_score is None


def test_the_plain_scale_comes_first_and_others_keep_their_order():
    settings = TestSettings.from_cfg(dict(scale_factors=[2, 0.5, 1]))
    assert settings.scale_factors == (1.0, 2.0, 0.5)
