"""The command line."""

from osd.cli.app import main

__all__ = ["main"]
