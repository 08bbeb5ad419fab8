"""One source with all its faults in it, each behind a switch: block.coinbase names the fault that is on, 0 none.

So a source is compiled once and not once a fault. A fault that cannot stand behind a switch (the compiler says which)
is left out here and compiled alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.mutation.points import Node, Point, place, walk

SOLIDITY_SWITCH = """
function mutantOn(uint256 id) view returns (bool on) {
    assembly ("memory-safe") { on := eq(coinbase(), id) }
}
"""
YUL_SWITCH = " function mutantOr(o, m, id) -> r { r := o if eq(coinbase(), id) { r := m } } "
_PURE = re.compile(r"\bpure\b")
_MARK = re.compile(r"/\*([me])(\d+)\*/")


def readable(text: str) -> str:
    """The switch reads the block, so no function that has one is pure."""
    return _PURE.sub("view", text)


class Renderer:
    """Writes a source with the faults `numbers` (number by id) behind switches."""

    def __init__(self, source: bytes, tree: Node, points: Sequence[Point], numbers: Mapping[str, int]) -> None:
        self.source = source
        self.tree = tree
        self.numbers = numbers
        self.hosts: dict[tuple[int, int], list[Point]] = {}
        for point in points:
            self.hosts.setdefault((point.start, point.end), []).append(point)
        self.places = sorted(self.hosts, key=lambda span: (span[0], -span[1]))
        self.inserts: dict[int, str] = {}

    def whole(self) -> str:
        """The source with all switches."""
        for node in walk(self.tree):
            if node.get("nodeType") == "InlineAssembly":
                start, end = place(node["AST"])
                if any(start <= at < end for at, _ in self.places):
                    self.inserts[start + 1] = YUL_SWITCH
        for node in walk(self.tree):
            if node.get("nodeType") == "ModifierDefinition":
                copies = [self.modifier(node, point) for point in self.removed(node["name"])]
                if copies:
                    _, end = place(node)
                    self.inserts[end] = "".join(copies)
        return readable(self.range(0, len(self.source), None)) + SOLIDITY_SWITCH

    def removed(self, name: str) -> list[Point]:
        """Faults that leave out a modifier of this name."""
        found = [point for points in self.hosts.values() for point in points if point.kind == "modifier"]
        return [point for point in found if re.match(rf"{name}\b", point.original)]

    def modifier(self, node: Node, point: Point) -> str:
        """A copy of a modifier whose checks are off while the fault is on."""
        number = self.numbers[point.id]
        start, _ = place(node["body"])
        head = self.source[place(node)[0] : start].decode()
        body = []
        for statement in node["body"]["statements"]:
            begin, end = place(statement)
            if statement["nodeType"] == "PlaceholderStatement":
                body.append("_;")
            else:
                text = self.range(begin, self.source.index(b";", end) + 1, None)
                body.append(f"if (!mutantOn({number})) {{ {text} }}")
        named = re.sub(rf"\b{node['name']}\b", f"{node['name']}M{number}", head, count=1)
        return f"\n    {named}{{ {' '.join(body)} }}"

    def range(self, start: int, end: int, inside: tuple[int, int] | None) -> str:
        """Text of a range with the switches of the hosts in it; `inside` is the host that is being written."""
        parts, at = [], start
        while at < end:
            host = self.next_host(at, end, inside)
            stop = end if host is None else host[0]
            parts.append(self.plain(at, stop))
            if host is None:
                break
            parts.append(self.switched(host))
            at = host[1]
        return "".join(parts)

    def plain(self, start: int, end: int) -> str:
        """Text without hosts, with what has to be inserted."""
        cuts = sorted(at for at in self.inserts if start <= at < end)
        parts = []
        for cut in cuts:
            parts += [self.source[start:cut].decode(), self.inserts[cut]]
            start = cut
        return "".join([*parts, self.source[start:end].decode()])

    def next_host(self, at: int, end: int, inside: tuple[int, int] | None) -> tuple[int, int] | None:
        """The first outermost host from a place on."""
        for span in self.places:
            if span[0] >= at and span[1] <= end and span != inside:
                return span
        return None

    def switched(self, span: tuple[int, int]) -> str:
        """A host with its faults around it."""
        text = self.range(*span, span)
        for point in self.hosts[span]:
            number = self.numbers[point.id]
            fault = f"/*m{number}*/{point.text}/*e{number}*/"
            if point.kind == "statement":
                text = f"{{ if (mutantOn({number})) {{ {fault} }} else {{ {text} }} }}"
            elif point.kind == "modifier":
                name = re.match(r"\w+", text)
                text = f"{name[0]}M{number}{text[name.end() :]}" if name else text
            elif point.kind == "yul expression":
                text = f"mutantOr({text}, {fault}, {number})"
            elif point.kind == "yul statement":
                text = f"if iszero(eq(coinbase(), {number})) {{ {text} }}"
            else:
                cast = point.kind.removeprefix("expression").strip()
                text = f"(mutantOn({number}) ? {cast}({fault}) : {cast}({text}))"
        return text


def blamed(rendered: str, location: Mapping[str, Any]) -> int | None:
    """The number of the fault that an error of the compiler is about: the one it lies in, or else the first in it."""
    data = rendered.encode()
    start, end = int(location["start"]), int(location["end"])
    open_: list[int] = []
    text = data.decode()
    for mark in _MARK.finditer(text):
        at = len(text[: mark.start()].encode())
        number = int(mark[2])
        if at > start:
            if open_:
                break
            if mark[1] == "m" and at < end:
                return number
            continue
        if mark[1] == "m":
            open_.append(number)
        elif number in open_:
            open_.remove(number)
    return open_[0] if open_ else None
