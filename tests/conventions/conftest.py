"""Every data set and every folder of arrays that the authors' code computed."""

import pytest

from tests.helpers import golden_arrays
from tests.helpers.release import FOLDERS


@pytest.fixture(params=golden_arrays.DATASETS)
def dataset(request):
    return request.param


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name == 'full' else []) for name in FOLDERS
    ]
)
def folder(request):
    return FOLDERS[request.param]
