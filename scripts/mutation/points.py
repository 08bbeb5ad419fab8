"""Where a Solidity source can be changed by one small fault: found in the compiler's syntax tree, applied to the text.

A point names a host, the piece of text in whose place a switch can stand (an expression or a statement), and what
stands there when the fault is on. Operators: comparisons moved by one or turned round, arithmetic and bits, conditions
off, branches swapped, constants and literals up by one, statements and checks left out, arguments swapped, modifiers
left out, and the same in assembly.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Node = Mapping[str, Any]

BINARY = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
    "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("/",), "<<": (">>",), ">>": ("<<",),
    "&": ("|",), "|": ("&",), "^": ("|",), "&&": ("||",), "||": ("&&",),
}  # fmt: skip
ASSIGNED = {"+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "|=": "&=", "&=": "|=", ">>=": "<<=", "<<=": ">>="}
YUL = {
    "add": "sub", "sub": "add", "mul": "add", "mod": "div", "and": "or", "or": "and", "xor": "or", "shl": "shr",
    "shr": "shl", "lt": "gt", "gt": "lt",
}  # fmt: skip
STATEMENTS = ("ExpressionStatement", "EmitStatement", "RevertStatement", "Return", "Break", "Continue")
UINT = re.compile(r"uint\d+")


@dataclass(frozen=True)
class Point:
    """One fault. `start`, `end` are the host's place in the source's bytes, `text` what stands there instead."""

    id: str
    source: str
    function: str
    operator: str
    line: int
    kind: str  # expression, statement, modifier, yul expression, yul statement
    start: int
    end: int
    original: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """For the result file and the page."""
        return {"id": self.id, "source": self.source, "line": self.line, "operator": self.operator,
                "original": " ".join(self.original.split()), "mutant": " ".join(self.text.split())}  # fmt: skip


@dataclass(frozen=True)
class Host:
    """Where a switch can stand."""

    kind: str
    start: int
    end: int


def place(node: Node) -> tuple[int, int]:
    """Start and end of a node in the source's bytes."""
    start, length, _ = map(int, node["src"].split(":"))
    return start, start + length


class Finder:
    """Collects the points of one source."""

    def __init__(self, unit: str, source: bytes, tree: Node) -> None:
        self.unit = unit
        self.source = source
        self.name = unit.rsplit("/", 1)[-1].removesuffix(".sol")
        self.function = ""
        self.found: list[Point] = []
        self.seen: Counter[str] = Counter()
        self.constants = {
            node["id"]
            for node in walk(tree)
            if node.get("nodeType") == "VariableDeclaration" and node.get("mutability") in ("constant", "immutable")
        }

    # --- text ---
    def text(self, start: int, end: int) -> str:
        """Source text of a range of bytes."""
        return self.source[start:end].decode()

    def of(self, node: Node) -> str:
        """Source text of a node."""
        return self.text(*place(node))

    def with_edit(self, host: Host, start: int, end: int, new: str) -> str:
        """The host's text with one range replaced."""
        return self.text(host.start, start) + new + self.text(end, host.end)

    def add(self, operator: str, host: Host | None, start: int, end: int, new: str) -> None:
        """A fault that replaces source[start:end] inside a host."""
        if host is None or self.text(start, end) == new:
            return
        original, text = self.text(host.start, host.end), self.with_edit(host, start, end, new)
        key = "|".join((self.function, operator, " ".join(original.split()), " ".join(text.split())))
        self.seen[key] += 1
        mark = hashlib.sha256(f"{key}|{self.seen[key]}".encode()).hexdigest()[:8]
        line = self.source.count(b"\n", 0, start) + 1
        self.found.append(
            Point(
                f"{self.name}.{self.function}.{operator}.{mark}",
                self.unit,
                self.function,
                operator,
                line,
                host.kind,
                host.start,
                host.end,
                original,
                text,
            )
        )

    # --- the tree ---
    def unit_points(self, tree: Node) -> list[Point]:
        """Every point, in the order of the source."""
        for node in walk(tree):
            if node.get("nodeType") in ("FunctionDefinition", "ModifierDefinition") and node.get("body"):
                self.function = node.get("name") or node.get("kind", "")
                for use in node.get("modifiers", []):
                    if use.get("kind") == "modifierInvocation":
                        start, end = place(use)
                        host = Host("modifier", start, end)
                        self.add("modifier", host, start, end, "")
                self.block(node["body"])
        return sorted(self.found, key=lambda point: (point.start, point.end, point.id))

    def block(self, node: Node) -> None:
        """A block or a statement: hosts are found on the way down."""
        kind = node["nodeType"]
        if kind in ("Block", "UncheckedBlock"):
            for statement in node["statements"]:
                self.block(statement)
        elif kind in STATEMENTS:
            self.statement(node)
        elif kind == "IfStatement":
            self.condition(node["condition"])
            self.block(node["trueBody"])
            if node.get("falseBody"):
                self.block(node["falseBody"])
        elif kind == "ForStatement":
            start = node.get("initializationExpression") or {"nodeType": ""}
            if start["nodeType"] == "VariableDeclarationStatement":
                self.block(start)
            if node.get("condition"):
                self.expression(node["condition"], None)
            self.block(node["body"])  # the step is left alone: without it the loop has no end
        elif kind == "WhileStatement":
            self.expression(node["condition"], None)
            self.block(node["body"])
        elif kind == "VariableDeclarationStatement" and node.get("initialValue"):
            self.expression(node["initialValue"], None)
        elif kind == "TryStatement":
            for argument in node["externalCall"].get("arguments", []):
                self.expression(argument, None)
            for clause in node["clauses"]:
                self.block(clause["block"])
        elif kind == "InlineAssembly":
            self.yul(node["AST"])

    def statement(self, node: Node) -> None:
        """A statement that a switch can stand around."""
        start, end = place(node)
        end = self.source.index(b";", end) + 1
        host = Host("statement", start, end)
        kind = node["nodeType"]
        expression = node.get("expression") or node.get("eventCall") or node.get("errorCall")
        if kind != "Return" and not _binds_pointer(expression or {}):
            called = (expression or {}).get("expression", {}).get("name", "")
            self.add("check" if called == "require" else "delete", host, start, end, "")
        if expression:
            self.expression(expression, host)

    def condition(self, node: Node) -> None:
        """The condition of an if: never met, besides what can change inside."""
        start, end = place(node)
        self.add("never", Host("expression", start, end), start, end, "false")
        self.expression(node, None)

    def expression(self, node: Node, statement: Host | None, common: str = "") -> None:
        """An expression; `statement` is the host around it where there is one, `common` the type it is brought to."""
        kind = node["nodeType"]
        type_ = node.get("typeDescriptions", {}).get("typeString", "")
        start, end = place(node)
        own = Host("expression", start, end)
        if kind == "BinaryOperation":
            if type_.startswith(("int_const", "rational_const")):
                return self.constant(node, statement, common)
            left, right = node["leftExpression"], node["rightExpression"]
            gap = (place(left)[1], place(right)[0])
            if self.text(*gap).strip() == node["operator"]:
                for new in BINARY.get(node["operator"], ()):
                    self.add("binary", own, *gap, f" {new} ")
            shared = node["commonType"]["typeString"]
            self.expression(left, statement, shared)
            self.expression(right, statement, "uint256" if node["operator"] in ("<<", ">>") else shared)
        elif kind == "UnaryOperation":
            inner = node["subExpression"]
            if node["operator"] in ("++", "--"):
                new = self.of(node).replace(node["operator"], "--" if node["operator"] == "++" else "++")
                self.add("unary", statement or own, start, end, new)
            elif node["operator"] in ("!", "~"):
                self.add("unary", own, start, end, self.of(inner))
            if node["operator"] not in ("++", "--", "delete"):
                self.expression(inner, statement)
        elif kind == "Assignment":
            left, right = node["leftHandSide"], node["rightHandSide"]
            new = ASSIGNED.get(node["operator"], "")
            if new and statement:
                self.add("assign", statement, place(left)[1], place(right)[0], f" {new} ")
            self.expression(right, statement)
        elif kind == "Conditional":
            yes, no = node["trueExpression"], node["falseExpression"]
            swapped = f"{self.of(node['condition'])} ? {self.of(no)} : {self.of(yes)}"
            self.add("branch", own, start, end, swapped)
            for part in (node["condition"], yes, no):
                self.expression(part, statement)
        elif kind == "FunctionCall":
            self.call(node, statement)
        elif kind in ("FunctionCallOptions", "MemberAccess"):
            self.expression(node["expression"], statement)
        elif kind in ("IndexAccess", "IndexRangeAccess"):
            for part in ("baseExpression", "indexExpression", "startExpression", "endExpression"):
                if node.get(part):
                    self.expression(node[part], statement, "uint256")
        elif kind == "TupleExpression":
            for part in node["components"]:
                if part:
                    self.expression(part, statement, common if len(node["components"]) == 1 else "")
        elif kind == "Literal":
            self.literal(node, statement, common)
        elif kind == "Identifier" and node.get("referencedDeclaration") in self.constants and UINT.fullmatch(type_):
            self.add("constant", own, start, end, f"({self.of(node)} + 1)")
        return None

    def call(self, node: Node, statement: Host | None) -> None:
        """Arguments one by one, and neighbours of one type swapped."""
        arguments = node["arguments"]
        if node["kind"] == "typeConversion":
            for argument in arguments:
                self.expression(argument, statement)
            return
        start, end = place(node)
        void = node["typeDescriptions"]["typeString"] in ("tuple()", "error") or not node.get("typeDescriptions")
        host = statement if void or statement else Host("expression", start, end)
        types = [argument["typeDescriptions"]["typeString"] for argument in arguments]
        for (first, a), (second, b) in pairwise(zip(arguments, types, strict=True)):
            if a == b and self.of(first) != self.of(second):
                (one, two), (three, four) = place(first), place(second)
                self.add("swap", host, one, four, self.of(second) + self.text(two, three) + self.of(first))
        self.expression(node["expression"], statement)
        for argument in arguments:
            self.expression(argument, statement)

    def literal(self, node: Node, statement: Host | None, common: str) -> None:
        """A number up by one, a truth turned."""
        start, end = place(node)
        if node["kind"] == "bool":
            self.add(
                "literal", Host("expression", start, end), start, end, "false" if node["value"] == "true" else "true"
            )
        elif node["kind"] == "number" and not node.get("subdenomination"):
            self.constant(node, statement, common)

    def constant(self, node: Node, statement: Host | None, common: str) -> None:
        """A constant expression up by one; a switch in its place needs the type that it is brought to."""
        start, end = place(node)
        text = self.of(node)
        if UINT.fullmatch(common):
            # The host is written with its type, or one of 8 bits would stand there.
            self.add("literal", Host(f"expression {common}", start, end), start, end, f"({text} + 1)")
        else:
            self.add("literal", statement or Host("expression", start, end), start, end, f"({text} + 1)")

    # --- assembly ---
    def yul(self, node: Node) -> None:
        """Statements of an assembly block."""
        kind = node["nodeType"]
        start, end = place(node)
        if kind == "YulBlock":
            for statement in node["statements"]:
                self.yul(statement)
        elif kind == "YulExpressionStatement":
            self.add("delete", Host("yul statement", start, end), start, end, "")
            for argument in node["expression"].get("arguments", []):
                self.yul_expression(argument)
        elif kind == "YulAssignment":
            self.add("delete", Host("yul statement", start, end), start, end, "")
            self.yul_expression(node["value"])
        elif kind == "YulVariableDeclaration" and node.get("value"):
            self.yul_expression(node["value"])
        elif kind == "YulIf":
            self.yul_never(node["condition"])
            self.yul(node["body"])
        elif kind == "YulForLoop":
            self.yul(node["pre"])
            self.yul_expression(node["condition"])
            self.yul(node["body"])
        elif kind == "YulFunctionDefinition":
            self.yul(node["body"])

    def yul_never(self, node: Node) -> None:
        """The condition of an if in assembly."""
        start, end = place(node)
        self.add("never", Host("yul expression", start, end), start, end, "0")
        self.yul_expression(node)

    def yul_expression(self, node: Node) -> None:
        """An expression in assembly."""
        start, end = place(node)
        host = Host("yul expression", start, end)
        if node["nodeType"] == "YulFunctionCall":
            name = node["functionName"]["name"]
            if name in YUL:
                at = place(node["functionName"])
                self.add("binary", host, *at, YUL[name])
            elif name == "iszero":
                self.add("unary", host, start, end, self.of(node["arguments"][0]))
            elif name == "eq":
                self.add("binary", host, start, end, f"iszero({self.of(node)})")
            for argument in node["arguments"]:
                self.yul_expression(argument)
        elif node["nodeType"] == "YulLiteral" and node.get("kind") == "number":
            value = int(node["value"], 0)
            if value < 2**256 - 1:
                self.add("literal", host, start, end, str(value + 1))


def _binds_pointer(expression: Node) -> bool:
    """Whether an assignment makes a variable point into storage or calldata: without it nothing compiles."""
    type_ = expression.get("leftHandSide", {}).get("typeDescriptions", {}).get("typeString", "")
    return bool(type_.endswith(("storage pointer", "calldata")))


def walk(tree: Any) -> Iterator[Node]:
    if isinstance(tree, Mapping):
        if "nodeType" in tree:
            yield tree
        for value in tree.values():
            yield from walk(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from walk(item)


def find(unit: str, source: bytes, tree: Node) -> list[Point]:
    """Every point of a source unit, in the order of its text; `tree` is the compiler's AST of these bytes."""
    return Finder(unit, source, tree).unit_points(tree)
