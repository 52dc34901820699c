"""Build the package with what mim looks for inside it; setup.cfg declares all the rest."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ('configs', 'tools', 'model-index.yml', 'requirements.txt')
# Bytecode, and the tools that run studies/, which a wheel has not.
LEFT_OUT = ('__pycache__', 'ablation.py', 'benchmark.py', 'gpu_check.py')


class BuildWithMim(build_py):
    """Copy the project's configs and tools into the wheel, as pinet_mm/.mim."""

    def run(self):
        """Build the modules, then fill .mim of the build directory, never of the checkout."""
        super().run()
        if not self.editable_mode:
            self.copy_shipped(Path(self.build_lib) / 'pinet_mm' / '.mim')

    def copy_shipped(self, target: Path):
        """Copy afresh: files of an earlier build must not stay behind."""
        shutil.rmtree(target, ignore_errors=True)
        for name in SHIPPED:
            if Path(name).is_dir():
                shutil.copytree(name, target / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
            else:
                shutil.copy(name, target / name)


setup(cmdclass={'build_py': BuildWithMim})
