"""What is told of a machine's software: optional packages only where they are installed."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from llmaudit.transparency import environment
from llmaudit.transparency.environment import environment_facts, package_version


def test_versions_are_those_of_the_installed_packages() -> None:
    facts = environment_facts()
    assert facts["peft"] == version("peft")
    assert facts["httpx"] == version("httpx")
    assert package_version("no-such-package") == "not installed"


@pytest.mark.parametrize("installed", [True, False])
def test_optional_packages_are_told_where_they_are(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"vllm": "0.32.0"} if installed else {}
    monkeypatch.setattr(environment, "package_version", lambda n: known.get(n, "not installed"))
    facts = environment_facts()
    assert facts.get("vllm") == ("0.32.0" if installed else None)
    assert "bitsandbytes" not in facts
    assert facts["torch"] == "not installed"
