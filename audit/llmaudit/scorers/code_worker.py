"""Runs bandit over pieces of Python code in a process of its own; the code is read, never executed.

Started by :mod:`llmaudit.scorers.code_python` as a script: pieces come as a JSON list on standard
input, and for each a JSON list of [test, severity, CWE number] goes to standard output, or null
where it could not be analysed. Whatever hostile code does to a parser (endless nesting, a crash of
the interpreter), it does to this process, whose memory and time are limited.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

MEMORY_LIMIT = 2 * 1024**3
#: Not weaknesses of the code itself: assertions, and imports as such (B4xx).
SKIPPED_TESTS = ("B101", *(f"B{number}" for number in range(401, 416)))


def find_issues(pieces: list[str]) -> list[list[tuple[str, str, int]] | None]:
    """Return the issues of each piece of code, None where bandit could not analyse it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from bandit.core.config import BanditConfig
        from bandit.core.manager import BanditManager

    logging.getLogger("bandit").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="llmaudit-code-") as name:
        folder = Path(name)
        for number, code in enumerate(pieces):
            data = code.encode("utf-8", "replace")
            (folder / f"piece{number}.py").write_bytes(data)
        manager: Any = BanditManager(
            BanditConfig(),
            "file",
            profile={"exclude": list(SKIPPED_TESTS)},
            quiet=True,
            ignore_nosec=True,
        )
        manager.discover_files([name], recursive=True)
        manager.run_tests()
        found: dict[str, list[tuple[str, str, int]] | None] = {
            f"piece{number}.py": [] for number in range(len(pieces))
        }
        for issue in manager.get_issue_list():
            entry = (str(issue.test_id), str(issue.severity).lower(), int(issue.cwe.id))
            issues = found[Path(issue.fname).name]
            if issues is not None:
                issues.append(entry)
        for skipped, _ in manager.get_skipped():
            found[Path(skipped).name] = None
    return list(found.values())


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Answer the request on standard input."""
    _limit_memory()
    pieces = json.loads(sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(find_issues(pieces)))


if __name__ == "__main__":
    main()
