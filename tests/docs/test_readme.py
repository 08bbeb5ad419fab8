"""The README is run, not believed: its commands exist, and what it shows is what they print."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from node.cli.main import COMMANDS, parser
from tests.support.runs import DEMO, ROOT, credence

pytestmark = pytest.mark.xdist_group("demo")
README = (ROOT / "README.md").read_text()
Run = tuple[Path, dict[str, Any]]


def shell_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.split("#")[0].strip()]


def commands() -> list[list[str]]:
    """Every credence command of the README, as arguments, whether it is written as command or as script."""
    found = []
    for line in shell_lines():
        words = shlex.split(line.replace("RUN", "runs/x"))
        if words[0] == "credence":
            found.append(words[1:])
        elif words[0] == "python" and words[1].startswith("scripts/"):
            name = Path(words[1]).stem
            assert (ROOT / words[1]).exists(), line
            found.append([{"run_node": "node"}.get(name, name), *words[2:]])
    return found


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_every_command_is_one_that_the_program_takes(arguments: list[str]) -> None:
    assert parser().parse_args(arguments).command == arguments[0]


def test_every_command_is_shown_or_listed() -> None:
    shown = {arguments[0] for arguments in commands()}
    assert {"simulate", "deploy", "node", "reputation", "audit", "doctor"} <= shown <= set(COMMANDS)


def test_the_two_make_targets_exist_and_the_demo_is_the_run_that_is_tested() -> None:
    assert shell_lines()[:2] == ["make demo", "make test"]
    done = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"credence simulate {' '.join(DEMO)}" in done.stdout
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_transcript_has_the_lines_that_a_run_prints(demo_run: Run) -> None:
    """Numbers may differ on another processor; the lines may not."""
    from node.transcript import closing_lines, round_line

    _, result = demo_run
    shown = re.search(r"<!-- transcript -->\n```text\n(.*?)```", README, flags=re.DOTALL)
    assert shown is not None
    rows = [round_line(row, 5) for row in result["rounds"]]
    closing = closing_lines(result)
    expected = [*rows, *closing]
    lines = shown.group(1).splitlines()

    def shape(line: str) -> str:
        line = re.sub(r"\S*credence ", "credence ", line)  # by name or by path, as the machine has it
        return re.sub(r"\s+", " ", re.sub(r"[\d.,]+|runs/\S+|/\S+/run\b\S*", "#", line)).strip()

    assert [shape(line) for line in lines[-len(expected) :]] == [shape(line) for line in expected]


def test_the_readme_s_questions_are_answered(demo_run: Run) -> None:
    run = str(demo_run[0])
    assert "negative_cosine" not in credence("reputation", "--run", run).stdout
    assert "points away" in credence("reputation", "--run", run, "--node", "8", "--explain", "5").stdout
    assert "no difference" in credence("audit", "--run", run).stdout
    assert "no difference" in credence("audit", "--run", run, "--replay").stdout


def test_the_page_of_errors_is_that_of_the_classes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import scripts.document_errors as d; print(d.text(), end='')"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (ROOT / "docs" / "errors.md").read_text(), "run scripts/document_errors.py"
