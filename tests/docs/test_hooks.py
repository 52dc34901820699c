"""The documentation site gets the page's model and runtime, or says why it has none."""

import base64
import hashlib
import io
import json
import os
import tarfile
from types import SimpleNamespace

from pinet_mm.onnx_runner import POSE_THRS, SHIPPED, OnnxPoses

import cv2
import numpy as np
import pytest

from tests.helpers.browser_page import load_hooks


@pytest.fixture
def hooks(tmp_path, monkeypatch):
    hooks = load_hooks()
    monkeypatch.setattr(hooks, 'CACHE', tmp_path / 'cache')
    return hooks


def install_npm(folder, monkeypatch, *lines):
    """Put a program called npm before all others."""
    folder.mkdir(exist_ok=True)
    (folder / 'npm').write_text('\n'.join(('#!/bin/sh', *lines)))
    (folder / 'npm').chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')


def write_archive(path, names):
    with tarfile.open(path, 'w:gz') as archive:
        for name in names:
            entry = tarfile.TarInfo(f'package/dist/{name}')
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def test_the_runtime_is_fetched_once_and_kept(hooks, tmp_path, monkeypatch):
    archive = tmp_path / 'archive.tgz'
    install_npm(tmp_path / 'bin', monkeypatch, f'echo "$@" >> {tmp_path}/called', f'cp {archive} .')
    monkeypatch.setattr(hooks, 'SHA512', write_archive(archive, ['other.js', *hooks.RUNTIME_FILES]))
    for _ in range(2):
        folder = hooks.fetch_runtime(hooks.CACHE)
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        name: name for name in hooks.RUNTIME_FILES
    }
    (call,) = (tmp_path / 'called').read_text().splitlines()
    assert call.startswith('pack onnxruntime-web@1.30.0 ')


def test_another_archive_is_refused(hooks, tmp_path, monkeypatch):
    archive = tmp_path / 'archive.tgz'
    write_archive(archive, hooks.RUNTIME_FILES)
    install_npm(tmp_path / 'bin', monkeypatch, f'cp {archive} .')
    with pytest.raises(hooks.MissingError, match='must have the SHA-512 q0y.*; found '):
        hooks.fetch_runtime(hooks.CACHE)
    assert not hooks.CACHE.exists()


def test_the_reason_is_npms_own(hooks, tmp_path, monkeypatch):
    install_npm(tmp_path / 'bin', monkeypatch, 'echo npm error code ENOTFOUND >&2', 'exit 1')
    with pytest.raises(hooks.MissingError, match=r'fetch it \(npm error code ENOTFOUND\)'):
        hooks.fetch_runtime(hooks.CACHE)
    for lines in (['exit 0'], ['echo >&2', 'exit 1']):  # no reason, and a blank one
        install_npm(tmp_path / 'bin', monkeypatch, *lines)
        with pytest.raises(hooks.MissingError, match=r'fetch it \(no archive\)'):
            hooks.fetch_runtime(hooks.CACHE)


class FakeFiles(dict):
    """MkDocs's Files, of which a hook uses these two."""

    src_uris = property(lambda self: self)

    def append(self, file):
        self[file.src_uri] = file


def build(hooks):
    """What the hooks add to the site, and what they make of two pages."""
    plugins = SimpleNamespace(_current_plugin='hooks')
    config = SimpleNamespace(site_dir='site', use_directory_urls=False, plugins=plugins)
    files = hooks.on_files(FakeFiles(), config)
    pages = [
        hooks.on_page_markdown(
            'above\n\n<!-- what is missing -->\n',
            SimpleNamespace(file=SimpleNamespace(src_uri=name)),
            config,
            files,
        )
        for name in (hooks.PAGE, 'index.md')
    ]
    return files, pages


def test_without_npm_the_site_is_built_and_says_so(hooks, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('PATH', str(tmp_path))
    files, (page, other) = build(hooks)
    reason = 'npm, which fetches it, is not installed'
    assert capsys.readouterr().err == f'docs: try.html lacks onnxruntime-web@1.30.0: {reason}\n'
    assert page.startswith(
        'above\n\n!!! warning "This copy of the site cannot run the model"\n\n    '
    )
    assert reason in page and other == 'above\n\n<!-- what is missing -->\n'
    facts = json.loads(files['assets/try/site.json'].content_string)
    assert facts['missing'] == reason
    assert not [place for place in files if '/runtime/' in place]


def test_the_shipped_model_is_in_the_site_with_its_terms(hooks, capsys):
    hooks.CACHE.mkdir()
    for name in hooks.RUNTIME_FILES:
        (hooks.CACHE / name).write_bytes(b'1' * 10**6)
    files, (page, _) = build(hooks)
    assert capsys.readouterr().err == '' and page == 'above\n\n\n'
    facts = json.loads(files['assets/try/site.json'].content_string)
    model = files[f'assets/try/model/{facts["model"]}']
    assert model.abs_src_path == str(hooks.MODEL)
    assert hooks.MODEL == SHIPPED.resolve()
    assert facts['pose_thr'] == POSE_THRS[OnnxPoses(str(SHIPPED)).score_kind]
    assert facts['megabytes'] == pytest.approx(SHIPPED.stat().st_size / 1e6 + 2)
    assert {'assets/try/model/LICENSE-weights', 'assets/try/model/models.json'} < set(files)
    example = files[f'assets/try/{facts["example"]}'].content_bytes
    assert cv2.imdecode(np.frombuffer(example, np.uint8), cv2.IMREAD_COLOR).shape == (480, 640, 3)
