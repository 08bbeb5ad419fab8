"""Run the demo and put its transcript and picture into the README."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from node.report_html import render_picture

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- transcript -->", "<!-- /transcript -->"


def main() -> int:
    """Replace the text between the markers; returns the demo's exit status."""
    command = [sys.executable, "-m", "node.cli", "simulate", "--attack", "sign_flip:2"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return done.returncode
    found = re.search(r"open (\S+)/report\.html", done.stdout)
    if found is None:
        raise SystemExit("the transcript names no run folder")
    summary = json.loads((ROOT / found.group(1) / "result.json").read_text())
    render_picture(summary, ROOT / "docs" / "run.png")
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n```text\n{done.stdout}```\n{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
