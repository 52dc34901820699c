"""deferred: heavy modules are imported at the first use of what is taken from them."""

import gc
import importlib
import subprocess
import sys

from pinet_mm.environment.deferred import DeferredModule, deferred, without_collector

import pytest

# What importing the package must not draw in: each costs a tenth of a second or more.
HEAVY = (
    'matplotlib.pyplot',
    'onnxruntime',
    'pandas',
    'scipy.optimize',
    'scipy.stats',
    'timm',
    'torch._dynamo',
    'torch.distributed.fsdp',
    'torch.distributed.optim',
)


@pytest.fixture
def heavy(tmp_path, monkeypatch):
    """A module that is not imported yet."""
    source = 'class Kept: pass\nclass Late:\n    place = 3\n    def __init__(self, x): self.x = x\n'
    (tmp_path / 'heavy_module.py').write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield 'heavy_module'
    sys.modules.pop('heavy_module', None)


def test_api_imports_nothing_heavy_and_all_of_it_works_later():
    script = f"""
import sys
from pinet_mm import api
print([name for name in {HEAVY} if name in sys.modules])
from mmpose.datasets.transforms.common_transforms import RandomBBoxTransform
from mmpose.visualization import local_visualizer_3d
print(RandomBBoxTransform._truncnorm(size=(4, 2)).shape)
print(local_visualizer_3d.plt.Figure is sys.modules['matplotlib.pyplot'].Figure)
from xtcocotools import coco
print('Later' in str(vars(coco).get('Polygon', 'Later')))
from torchvision.ops import roi_align
import scipy.stats, torch._dynamo.utils
print(scipy.stats.__file__ is not None, torch._dynamo.utils.__file__ is not None)
"""
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert done.stdout.splitlines() == ['[]', '(4, 2)', 'True', 'True', 'True True'], done.stderr


def test_name_is_imported_when_it_is_called(heavy):
    with deferred({heavy: ['Late']}):
        from heavy_module import Late
    assert heavy not in sys.modules
    assert Late(5).x == 5
    assert type(Late(5)) is sys.modules[heavy].Late and Late.place == 3


def test_class_of_a_module_serves_as_base_and_in_checks(heavy):
    with deferred({heavy: ['Late']}):
        from heavy_module import Late
    assert not isinstance(3, Late)
    real = sys.modules[heavy].Late
    assert isinstance(real(1), Late)
    assert type('Derived', (real,), {}).__mro__[1:] == _derive(Late).__mro__[1:]


def _derive(base):
    class Derived(base):
        pass

    return Derived


@pytest.mark.parametrize(
    ('kinds', 'name', 'base'),
    [
        ('mmpose.OPTIMIZERS', 'ZeroRedundancyOptimizer', 'torch.distributed.optim'),
        ('mmpose.MODEL_WRAPPERS', 'mmengine.MMFullyShardedDataParallel', 'torch.distributed.fsdp'),
        ('mmengine.STRATEGIES', 'FSDPStrategy', 'mmengine._strategy'),
    ],
)
def test_configs_still_find_what_shards(kinds, name, base):
    package, _, kind = kinds.partition('.')
    found = getattr(importlib.import_module(f'{package}.registry'), kind).get(name)
    assert found.__name__ == name.rpartition('.')[2]
    assert found.__mro__[1].__module__.startswith(base)


def test_other_names_come_at_once(heavy):
    with deferred({heavy: ['Late'], 'absent_module': ()}):
        from heavy_module import Kept

        assert Kept is sys.modules[heavy].Kept
        assert 'absent_module' not in sys.modules  # what is imported now may need the real one
    assert sys.modules[heavy].Kept is Kept


def test_module_itself_serves_later(heavy):
    with deferred({heavy: ()}):
        import heavy_module
    assert heavy not in sys.modules
    assert heavy_module.Late is sys.modules[heavy].Late


def test_imported_module_is_left_alone(heavy):
    import heavy_module

    with deferred({heavy: ['Late']}):
        assert sys.modules[heavy] is heavy_module
    assert sys.modules[heavy] is heavy_module


def test_absent_names_are_told_as_python_does(heavy):
    module = DeferredModule(heavy)
    with pytest.raises(AttributeError, match="module 'heavy_module' has no attribute 'other'"):
        _ = module.other
    with deferred({heavy: ()}), pytest.raises(ImportError, match='other'):
        from heavy_module import other  # noqa: F401


@pytest.mark.parametrize('on', [True, False])
def test_collector_is_as_before(on):
    was_on = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        with pytest.raises(KeyError), without_collector():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == on
    finally:
        (gc.enable if was_on else gc.disable)()
