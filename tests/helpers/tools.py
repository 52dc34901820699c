"""Run the tools of the checkout in this process."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load_tool(name):
    """Import tools/NAME.py under a name of its own."""
    spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_tool(monkeypatch, tool, *words):
    """Run the tool's main as from a shell; return what it prints on leaving."""
    monkeypatch.setattr(sys, 'argv', [f'{tool}.py', *map(str, words)])
    main = load_tool(tool).main
    with pytest.raises(SystemExit) as leaving:
        main()
    return leaving.value.code  # a text: Python prints it and exits with status 1
