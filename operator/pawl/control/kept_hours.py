"""The hours in the store that live baselines are made of (`windows/`): what each version saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress

from pawl.artifacts.store import Store
from pawl.control.trials import Do
from pawl.core.plan import KeepHour
from pawl.errors import ConflictError, IntegrityError

_MOST_BYTES = 4 << 20


class KeptHours:
    """Of one store and installation. StoreError when the store does not answer."""

    def __init__(self, store: Store, do: Do, installation: str) -> None:
        self._store = store
        self._do = do
        self._top = f"windows/{installation}"

    async def keep(self, hour: KeepHour) -> None:
        """What a version saw in an hour; one that is there already stays as it is."""
        path = f"{self._folder(hour.namespace, hour.deployment, hour.version)}/{hour.hour}"

        def write() -> None:
            with suppress(ConflictError):
                self._store.put(path, hour.data)

        await self._do("keep", write)

    async def hours(self, namespace: str, deployment: str, version: str) -> list[int]:
        """Which hours of a version are kept, in order."""
        folder = self._folder(namespace, deployment, version)

        def read() -> list[int]:
            names = [path.rsplit("/", 1)[-1] for path in self._list(folder)]
            return sorted(int(name) for name in names if name.isdigit())

        return await self._do("hours", read)

    async def kept(
        self, namespace: str, deployment: str, version: str, hours: Iterable[int]
    ) -> dict[int, bytes]:
        """Those of these hours that are kept."""
        folder = self._folder(namespace, deployment, version)

        def read() -> dict[int, bytes]:
            found = {}
            for hour in hours:
                with suppress(FileNotFoundError, IntegrityError):  # too large: none of ours
                    found[hour] = self._store.get(f"{folder}/{hour}", max_bytes=_MOST_BYTES)
            return found

        return await self._do("kept", read)

    async def windows(self) -> dict[tuple[str, str, str], list[int]]:
        """Which hours are kept of all (namespace, Deployment, version) of this installation."""

        def read() -> dict[tuple[str, str, str], list[int]]:
            found = defaultdict[tuple[str, str, str], list[int]](list)
            for path in self._list(self._top):
                parts = path.split("/")
                if len(parts) == 6 and parts[5].isdigit():
                    found[parts[2], parts[3], parts[4]].append(int(parts[5]))
            return dict(found)

        return await self._do("windows", read)

    async def drop(
        self, namespace: str, deployment: str, version: str, hours: Iterable[int]
    ) -> None:
        """Deletes hours; one that is gone already is well."""
        folder = self._folder(namespace, deployment, version)

        def delete() -> None:
            for hour in hours:
                with suppress(FileNotFoundError):
                    self._store.delete(f"{folder}/{hour}")

        await self._do("drop", delete)

    def _folder(self, namespace: str, deployment: str, version: str) -> str:
        return f"{self._top}/{namespace}/{deployment}/{version}"

    def _list(self, folder: str) -> list[str]:
        try:
            return self._store.list(folder)
        except FileNotFoundError:
            return []
