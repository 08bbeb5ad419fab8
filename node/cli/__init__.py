"""The `credence` command: one module for each sub-command, one implementation for command and scripts alike."""

from node.cli.main import main

__all__ = ["main"]
