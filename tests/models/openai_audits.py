"""Small audits of models on servers: files, and the words of the command."""

from __future__ import annotations

import textwrap
from pathlib import Path

from audit_cases import POLICY

SUITE = """
format: 1
id: tiny
title: A tiny suite
version: 1.0.0
description: Refusals and hiring decisions, with scorers that need no files.
covers: [Refusals and hiring decisions.]
does_not_cover: [Everything else.]
probe_sets:
  - {id: harmful-requests, samples: 2, max_new_tokens: 6}
  - {id: hiring-decisions}
scorers: [refusal, degeneration]
"""


def audit_words(folder: Path, model: str, url: str, *more: str) -> list[str]:
    """Return the words of a ``run`` whose files and results lie in ``folder``."""
    suite, policy = folder / "tiny.yaml", folder / "policy.yaml"
    suite.write_text(textwrap.dedent(SUITE), "utf-8")
    policy.write_text(textwrap.dedent(POLICY), "utf-8")
    words = ["run", "--model", f"openai:{model}", "--base-url", url, "--limit", "2"]
    words += ["--suite", str(suite), "--policy", str(policy), "--out", str(folder / "run")]
    return [*words, "--request-timeout", "60", "--concurrency", "2", *more]


def everything_in(folder: Path) -> str:
    """Return the bytes of every file below a folder, as text."""
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    return b"".join(one.read_bytes() for one in files).decode("utf-8", "replace")
