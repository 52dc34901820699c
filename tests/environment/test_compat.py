"""compat: each fix where it is needed, and nothing where it is not."""

import io
import pickle
import sys
import zipfile

from pinet_mm.environment import compat

import numpy as np
import pytest
import torch
from mmengine.config import config as config_module
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging import HistoryBuffer

from tests.helpers.bare import run_bare, run_script


def reload(content, rename=(b'', b'')):
    """Save and load with `weights_only`, after renaming what the pickle refers to."""
    saved, renamed = io.BytesIO(), io.BytesIO()
    torch.save(content, saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(renamed, 'w') as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(*rename))
    renamed.seek(0)
    return torch.load(renamed, weights_only=True)


# --- all of it -----------------------------------------------------------------------------------


def test_mmpose_imports_in_a_fresh_interpreter():
    done = run_script("""
        compat.apply()
        import mmpose.apis, mmpose.models, mmpose.datasets, mmdet.models
        print('imported')
        """)
    assert done.stdout == 'imported\n', done.stderr


def test_nothing_happens_where_no_package_is_installed(tmp_path):
    done = run_bare('compat.apply(); print([n for n in sys.modules if "mm" in n])', tmp_path)
    assert done.stdout == '[]\n', done.stderr


def test_second_call_changes_nothing():
    from mmengine.config import config
    from mmpose.visualization.opencv_backend_visualizer import OpencvBackendVisualizer

    def patched():
        return (
            sys.modules['xtcocotools._mask'],
            sys.modules.get('mmcv._ext'),
            torch.cuda.set_device,
            OpencvBackendVisualizer.draw_circles,
            config._get_package_and_cfg_path,
            set(torch.serialization.get_safe_globals()),
        )

    before = patched()
    compat.apply()
    assert patched() == before


# --- checkpoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize('core', [b'numpy._core', b'numpy.core'])
def test_mmengine_checkpoint_is_read(core):
    arrays = {code: np.ones(3, code) for code in ('u1', 'u4', 'i4', 'i8', 'f4', 'f8', '?')}
    arrays['empty'] = np.zeros((0, 3), 'u1')  # the links' colors of a dataset without skeleton
    saved = {'loss': HistoryBuffer([1.0, 2.0], [1, 1]), 'seed': np.float64(7), **arrays}
    loaded = reload(saved, rename=(b'numpy._core', core))
    assert loaded['loss'].mean() == 1.5 and loaded['seed'] == 7
    for code, array in arrays.items():
        np.testing.assert_array_equal(loaded[code], array, strict=True)


def test_a_torch_that_does_not_list_what_bytes_need_reads_them(monkeypatch):
    # torch 2.4.0; pickles of an array's bytes call it.
    unpickler = torch._weights_only_unpickler
    listed = unpickler._get_allowed_globals()
    shorter = {name: each for name, each in listed.items() if name != '_codecs.encode'}
    monkeypatch.setattr(unpickler, '_get_allowed_globals', lambda: shorter)
    assert reload(dict(seed=np.float64(7)))['seed'] == 7


class Call:
    """Pickle as the call of a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_checkpoint_cannot_run_code():
    with pytest.raises(pickle.UnpicklingError, match=r'Unsupported global: GLOBAL (\w+\.)?eval'):
        reload({'x': Call(eval, '1 + 1')})


def test_checkpoint_cannot_reach_other_attributes():
    with pytest.raises(Exception, match='only public methods of HistoryBuffer'):
        reload({'x': Call(getattr, np.ndarray, 'tofile')})


@pytest.mark.parametrize(
    'owner, name',
    [
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, 'mro'),
        (HistoryBuffer, '_set_default_statistics'),
        (np.ndarray, 'mean'),
    ],
)
def test_only_public_methods_of_history_buffers_are_looked_up(owner, name):
    with pytest.raises(ValueError, match=f"only public methods of HistoryBuffer, not '{name}'"):
        compat.history_buffer_method(owner, name)
    assert compat.history_buffer_method(HistoryBuffer, 'mean') is HistoryBuffer.mean


# --- CUDA ----------------------------------------------------------------------------------------


@pytest.mark.parametrize('cuda, calls', [(True, [1]), (False, [])])
def test_set_device_is_skipped_only_without_cuda(monkeypatch, cuda, calls):
    called = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    monkeypatch.setattr(torch.cuda, 'set_device', called.append)
    compat.skip_cuda_device_without_cuda()
    torch.cuda.set_device(1)
    assert called == calls


# --- mmengine's packages -------------------------------------------------------------------------


def test_package_is_known_to_mmengine():
    from mmengine.config.config import _get_package_and_cfg_path as split

    assert MODULE2PACKAGE['pinet_mm'] == 'pinet-mm'
    assert split('pinet_mm::pinet_hrnet_coco.py') == ('pinet-mm', 'pinet_hrnet_coco.py')
    assert split('mmpose::_base_/runtime.py') == ('mmpose', '_base_/runtime.py')
    with pytest.raises(ValueError, match='specify the package name and relative config path'):
        split('mmpose::flat.py')


# --- visualization -------------------------------------------------------------------------------


@pytest.mark.parametrize('backend', ['opencv', 'matplotlib'])
def test_visualizer_draws_circles(backend):
    from mmpose.visualization import PoseLocalVisualizer

    visualizer = PoseLocalVisualizer(backend=backend)
    visualizer.set_image(np.zeros((40, 40, 3), np.uint8))
    visualizer.draw_circles(
        np.array([20.0, 10.0]),
        radius=np.array([4]),
        face_colors=(0, 200, 0),
        edge_colors=(0, 200, 0),
        alpha=1.0,
    )
    image = visualizer.get_image()
    assert image[10, 20].tolist() == [0, 200, 0] and image[30, 20].tolist() == [0, 0, 0]


# --- configs -------------------------------------------------------------------------------------


def test_a_config_is_laid_out_once():
    calls = []

    def lay_out(text, style_config):
        calls.append(text)
        if text == 'wrong':
            raise SyntaxError(text)
        return f'{text} {style_config}', True

    once = compat._once(lay_out)
    texts = [once(text, style_config=style)[0] for text in 'aab' for style in ('x', 'x')]
    assert texts == ['a x'] * 4 + ['b x'] * 2 and calls == ['a', 'b']
    assert once('b', style_config='y') == ('b y', True) and calls == ['a', 'b', 'b']
    for _ in range(2):
        with pytest.raises(SyntaxError):
            once('wrong', style_config='y')
    assert calls[3:] == ['wrong'] * 2


def test_mmengine_lays_out_through_it():
    done = run_script("""
        from mmengine.config import config
        plain = config.Config(dict(place=dict(a=[1, 2], b='three'))).pretty_text
        calls, lay_out = [], config.FormatCode
        config.FormatCode = lambda *args, **options: calls.append(1) or lay_out(*args, **options)
        compat.lay_configs_out_once()
        texts = [config.Config(dict(place=dict(a=[1, 2], b='three'))).pretty_text for _ in 'ab']
        print(len(calls), texts == [plain, plain])
        """)
    assert done.stdout == '1 True\n', done.stderr


@pytest.mark.parametrize(
    'raised, told', [(KeyboardInterrupt, KeyboardInterrupt), (ValueError, SyntaxError)]
)
def test_ctrl_c_is_no_mistake_in_a_config(monkeypatch, raised, told):
    def fail(*_, **__):
        raise raised

    monkeypatch.setattr(config_module, 'FormatCode', fail)
    with pytest.raises(told):
        _ = config_module.Config(dict(a=1)).pretty_text
