"""A call that waits for the first import of a module.

MMPose has to be repaired before it is imported, and the classes that configs name have to be
registered once it is. Both import torch, which `pinet-mm --help` should not wait for.
"""

import sys
from collections.abc import Callable, Iterable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class FirstImport(MetaPathFinder, Loader):
    """Make a call before the first of some modules is imported.

    The call may import these modules itself; the import that it was made for then gets what is
    there.

    Args:
        concerns: returns whether a module, by its full name, is one of them.
        call: gets the name of the module that is asked for; returns whether it has done its work.
            Until then every such import makes it again. What it raises, the import raises.
    """

    def __init__(self, concerns: Callable[[str], bool], call: Callable[[str], bool]):
        self._concerns, self._call, self._waits = concerns, call, True
        self._specs: dict[str, ModuleSpec | None] = {}

    def install(self, names: Iterable[str]) -> None:
        """Wait from now on; where a module is imported already, make the call at once.

        Args:
            names: of the modules that may be.
        """
        sys.meta_path.insert(0, self)
        imported = next((name for name in names if name in sys.modules), None)
        if imported:
            self.make(imported)

    def make(self, name: str) -> None:
        """Make the call, unless it was made or is being made.

        Args:
            name: of the module that needs it.
        """
        if self._waits:
            self._waits = False
            try:
                done = self._call(name)
            except BaseException:
                self._waits = True
                raise
            self._waits = not done

    def find_spec(self, fullname, path=None, target=None):
        """Make the call for one of the modules; leave finding it to others unless it is there."""
        if not self._waits or not self._concerns(fullname):
            return None
        self.make(fullname)
        module = sys.modules.get(fullname)
        if module is None:
            return None
        # The call has imported the module. Its own spec would make Python execute it a second time.
        own = self._specs[fullname] = module.__spec__
        module.__spec__ = ModuleSpec(fullname, self, origin=own and own.origin)
        module.__spec__.submodule_search_locations = getattr(module, '__path__', None)
        return module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module that is there."""
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back; it was executed by the call."""
        module.__spec__ = self._specs.pop(module.__name__)
