"""Build the package with what mim looks for inside it; setup.cfg declares all the rest.

With SOURCE_DATE_EPOCH set, wheel and source archive are the same bytes wherever they are built.
"""

import gzip
import os
import shutil
import tarfile
import time
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

SHIPPED = ('configs', 'tools', 'model-index.yml', 'requirements.txt')
# Bytecode, and the tools that run studies/, which a wheel has not.
LEFT_OUT = ('__pycache__', 'ablation.py', 'benchmark.py', 'gpu_check.py', 'tracking.py')


def usual_mode(mode: int) -> int:
    """Return the mode that a checkout's file has under the usual umask."""
    return 0o755 if mode & 0o100 else 0o644


def set_usual_modes(folder: str) -> None:
    """Give the files below a folder the modes that they have under the usual umask."""
    for path in filter(Path.is_file, Path(folder).rglob('*')):
        path.chmod(usual_mode(path.stat().st_mode))


class BuildWithMim(build_py):
    """Copy the project's configs and tools into the wheel, as pinet_mm/.mim."""

    def run(self):
        """Build the modules, then fill .mim of the build directory, never of the checkout."""
        super().run()
        if not self.editable_mode:
            self.copy_shipped(Path(self.build_lib) / 'pinet_mm' / '.mim')
            set_usual_modes(self.build_lib)

    def copy_shipped(self, target: Path):
        """Copy afresh: files of an earlier build must not stay behind."""
        shutil.rmtree(target, ignore_errors=True)
        for name in SHIPPED:
            if Path(name).is_dir():
                shutil.copytree(name, target / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
            else:
                shutil.copy(name, target / name)


class PlainWheel(bdist_wheel):
    """Write a wheel whose metadata tells nothing of the checkout's umask."""

    def write_wheelfile(self, wheelfile_base, *args, **kwargs):
        """Write the last file of the metadata, then set the modes of all of them."""
        super().write_wheelfile(wheelfile_base, *args, **kwargs)
        set_usual_modes(wheelfile_base)


class PlainArchive(sdist):
    """Write a source archive that tells nothing of the machine and of the time of the checkout."""

    def make_archive(self, base_name, format=None, root_dir=None, base_dir=None, **owners):
        """Write the folder `base_dir` as BASE_NAME.tar.gz and return its name."""
        moment = int(os.environ.get('SOURCE_DATE_EPOCH', time.time()))

        def plain(member):
            member.mtime, member.mode = moment, usual_mode(member.mode)
            member.uid = member.gid = 0
            member.uname = member.gname = ''
            return member

        name = f'{base_name}.tar.gz'
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        with (
            open(name, 'wb') as file,
            gzip.GzipFile('', 'wb', fileobj=file, mtime=moment) as packed,
            tarfile.open(fileobj=packed, mode='w', format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(base_dir, filter=plain)
        return name


setup(cmdclass={'build_py': BuildWithMim, 'bdist_wheel': PlainWheel, 'sdist': PlainArchive})
