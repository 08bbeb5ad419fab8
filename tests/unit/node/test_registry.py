"""Registries: names to strategies, each once."""

import pytest

from node.errors import UnknownName
from node.registry import Registry


def test_what_was_registered_is_found_and_listed_in_order() -> None:
    registry: Registry[object] = Registry("thing")

    @registry.register("beta")
    def beta() -> None: ...

    alpha = registry.register("alpha")(object())
    assert registry.get("beta") is beta
    assert registry.get("alpha") is alpha
    assert registry.names() == list(registry) == ["alpha", "beta"]


def test_a_name_is_taken_once() -> None:
    registry: Registry[int] = Registry("thing")
    registry.register("one")(1)
    with pytest.raises(ValueError, match="thing 'one' is registered twice"):
        registry.register("one")(2)
    assert registry.get("one") == 1


def test_an_unknown_name_is_guessed() -> None:
    registry: Registry[int] = Registry("thing")
    registry.register("first")(1)
    with pytest.raises(UnknownName, match="unknown thing 'frist'; did you mean 'first'"):
        registry.get("frist")
