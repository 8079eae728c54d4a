"""Counting checks: one line for each, a closing line, an exit status."""

from __future__ import annotations

import sys


class Checks:
    """What passed and what failed so far."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def that(self, what: str, holds: object, seen: object = None) -> None:
        """One check: `seen` is shown when it does not hold."""
        if holds:
            self.passed += 1
            print(f"ok    {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {what}: {seen!r:.600}", flush=True)

    def equal(self, what: str, seen: object, expected: object) -> None:
        """One check that two values are the same."""
        self.that(what, seen == expected, f"got {seen!r}, expected {expected!r}")

    def end(self) -> None:
        """Says how many, and ends the program: 0 when at least one check ran and none failed."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(0 if self.passed and not self.failed else 1)
