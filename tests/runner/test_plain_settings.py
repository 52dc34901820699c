"""Settings of a wrong type are refused by name, before anything is built of them."""

from pinet_mm.errors import InputError
from pinet_mm.runner.plain_settings import check_plain_settings

import pytest
from mmengine.config import Config


@pytest.mark.parametrize('found', [5, True, 'EMAHook', dict(type='EMAHook')])
def test_hooks_that_are_no_list(found):
    with pytest.raises(InputError, match='^custom_hooks must be a list; found '):
        check_plain_settings(Config(dict(custom_hooks=found)))


@pytest.mark.parametrize('none', [None, [], [dict(type='EMAHook')]])
def test_hooks_may_be_none(none):
    check_plain_settings(Config(dict(custom_hooks=none)))
