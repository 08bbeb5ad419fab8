"""One small registry a strategy family: adding a strategy is one file and one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from node.errors import UnknownName

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to strategies of one kind (aggregator, weighting, codec, task, attack, partition)."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: enter a strategy under `name`. Raises ValueError if the name is taken."""

        def enter(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._items[name] = item
            return item

        return enter

    def get(self, name: str) -> T:
        """The strategy called `name`. Raises UnknownName, which lists the valid ones with the nearest guess."""
        if name not in self._items:
            raise UnknownName(self.kind, name, self._items)
        return self._items[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())
