#!/usr/bin/env python3
"""Prove the pure functions of the contracts for all inputs (contracts/test/symbolic), with halmos.

Makes an environment of its own, .venv-halmos, from pinned requirements on the first run: halmos needs other versions
than the project does. Needs forge (`make setup-test`). Exit status 0: every property holds; 1: one does not, and its
counterexample is printed; 2: it could not run. Options behind `--` go to halmos, e.g. `-- --contract TreesProof`.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROOFS = ROOT / "contracts" / "test" / "symbolic"
BUILT = ROOT / "contracts" / "test" / "out" / "symbolic"
REQUIREMENTS = PROOFS / "requirements.txt"
ENVIRONMENT = ROOT / ".venv-halmos"
INSTALLED = ENVIRONMENT / "requirements.txt"  # a copy of what was installed
SYSTEM = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}.get(platform.system(), "linux")
MACHINE = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "amd64"
FORGE = ROOT / "node_modules" / "@foundry-rs" / f"forge-{SYSTEM}-{MACHINE}" / "bin"


class ProveError(RuntimeError):
    """The proofs cannot be run here; the message says what to do."""


def prepare() -> None:
    """The environment as the requirements have it now."""
    if INSTALLED.is_file() and INSTALLED.read_text() == REQUIREMENTS.read_text():
        return
    print(f"prove: installing {REQUIREMENTS.relative_to(ROOT)} into {ENVIRONMENT.name}", file=sys.stderr)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--no-deps", "-r", str(REQUIREMENTS)], check=False).returncode != 0:
        raise ProveError("pip could not install halmos: the first run needs a package index")
    INSTALLED.write_text(REQUIREMENTS.read_text())


def prove(options: list[str]) -> int:
    """Run halmos over all proofs. Returns its exit status."""
    if not FORGE.is_dir():
        raise ProveError("forge is missing: run `make setup-test`")
    prepare()
    shutil.rmtree(BUILT, ignore_errors=True)  # halmos would run proofs whose sources are gone
    environment = {
        **os.environ,
        "FOUNDRY_CONFIG": str(PROOFS / "foundry.toml"),
        "PATH": os.pathsep.join([str(FORGE), str(ENVIRONMENT / "bin"), os.environ.get("PATH", "")]),
    }
    command = [str(ENVIRONMENT / "bin" / "halmos"), "--root", str(ROOT), "--config", str(PROOFS / "halmos.toml")]
    return subprocess.run([*command, "--no-status", "-st", *options], cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write halmos's result there, too")
    parser.add_argument("options", nargs="*", help="for halmos, behind --")
    arguments = parser.parse_args()
    options: list[str] = arguments.options
    if arguments.json:
        options = ["--json-output", arguments.json, *options]
    try:
        return 0 if prove(options) == 0 else 1
    except ProveError as error:
        print(f"prove: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
