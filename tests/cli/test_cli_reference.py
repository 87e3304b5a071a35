"""The help of every command: written down in docs/cli.md, quick to come, and free of torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cli_cases import call
from cli_reference import PAGE, command_paths, help_of, render_page

from llmaudit.cli import main

PROBES = str(PAGE.parents[1] / "probes")
HEAVY = ("torch", "transformers", "detoxify", "matplotlib", "pandas", "pyarrow", "sklearn")


def modules_after(*words: str) -> set[str]:
    """Return the names of all modules that a command has imported when it ends."""
    code = (
        "import sys, json, contextlib, io\n"
        "from llmaudit.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    main({list(words)!r})\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_page_says_what_help_says() -> None:
    assert PAGE.read_text("utf-8") == render_page(), "run python tests/cli/cli_reference.py"


@pytest.mark.parametrize("path", command_paths())
def test_every_option_is_explained(path: str) -> None:
    text = help_of(path)
    assert text.startswith(f"Usage: {path}")
    assert "-h, --help" in text


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["plan", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    loaded = modules_after(*words)
    assert not loaded & {*HEAVY, "numpy", "scipy", "pydantic", "rich", "yaml", "jinja2"}


@pytest.mark.parametrize(
    "words",
    [
        ["list", "models"],
        ["list", "scorers"],
        ["list", "suites"],
        ["show", "probe", "hiring-decisions"],
        ["show", "scorer", "toxicity"],
        ["lint", PROBES],
        ["run", "--model", "nobody-knows-it", "--suite", "qick"],
    ],
)
def test_commands_that_only_look_import_no_torch(words: list[str]) -> None:
    assert not modules_after(*words) & set(HEAVY)


def test_importing_the_package_imports_no_numpy() -> None:
    code = "import sys, llmaudit; print('numpy' in sys.modules, len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False")


def test_version() -> None:
    name, number = call("--version").output.split()
    assert name == "llmaudit"
    assert number[0].isdigit()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_get_a_completion_script(shell: str) -> None:
    script = complete(f"{shell}_source", {})
    assert "_LLMAUDIT_COMPLETE" in script
    assert f"_LLMAUDIT_COMPLETE={shell}_source llmaudit" in PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("llmaudit run --model smol", "smollm2-135m"),
        ("llmaudit run --suite q", "quick"),
        ("llmaudit run --policy d", "default"),
        ("llmaudit run --scorer ref", "refusal"),
        ("llmaudit show probe hir", "hiring-decisions"),
        ("llmaudit fetch stand", "standard"),
        ("llmaudit list po", "policies"),
    ],
)
def test_tab_offers_names(typed: str, offered: str) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    assert f"plain,{offered}" in complete("bash_complete", words).splitlines()


def complete(instruction: str, words: dict[str, str]) -> str:
    """Return what the program tells a shell that completes."""
    from click.shell_completion import get_completion_class

    name, _, action = instruction.partition("_")
    kind = get_completion_class(name)
    assert kind is not None
    shell = kind(main, {}, "llmaudit", "_LLMAUDIT_COMPLETE")
    if action == "source":
        return shell.source_vars()["complete_var"] + shell.source()
    with pytest.MonkeyPatch.context() as patch:
        for key, value in words.items():
            patch.setenv(key, value)
        return shell.complete()
