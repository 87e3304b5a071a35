"""Renders docs/cli.md from the real ``--help`` of every command; run as a program, rewrites it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from llmaudit.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
_WIDTH = 90

_HEAD = """\
# The command line

This page is made from the `--help` of every command; a test holds the two together. After a change
run `python tests/cli/cli_reference.py`.

## Exit codes

| code | meaning |
| --- | --- |
| 0 | `run`, `check`: the verdict is *pass*. `compare`: nothing got worse. Other commands: done |
| 1 | `run`, `check`: the verdict is *fail*. `compare`: a regression. Nothing else ever exits with 1 |
| 2 | usage or configuration error: a wrong name, option or file; runs that are not comparable; `lint` found a problem |
| 3 | `run`, `check`, `compare`: *inconclusive* |
| 4 | not completed: no weights, too little memory, a damaged store, a full disk, Ctrl-C, a bug |

With `--exit-zero`, `run`, `check` and `compare` exit with 0 whatever the verdict; the codes 2 and 4 remain.
Results go to standard output, progress and messages to standard error.

## Progress and interruption

On a terminal `run` shows a bar with stage, done/total, tokens per second and time left; elsewhere
it prints a plain line every 15 seconds and one at the end of each stage. Ctrl-C stops a run
cleanly: everything finished is in the store, the exit code is 4, and the same command goes on from
there.

## Shell completion

Commands, options, and the names of models, suites, policies, probe sets and scorers are completed.

    # bash: add to ~/.bashrc
    eval "$(_LLMAUDIT_COMPLETE=bash_source llmaudit)"

    # zsh: add to ~/.zshrc
    eval "$(_LLMAUDIT_COMPLETE=zsh_source llmaudit)"

    # fish: write once
    _LLMAUDIT_COMPLETE=fish_source llmaudit > ~/.config/fish/completions/llmaudit.fish

`llmaudit` must be on the `PATH`: activate the virtual environment first. Bash must be version 4.4
or newer. A shell starts faster with the script in a file: send the output of
`_LLMAUDIT_COMPLETE=bash_source llmaudit` to `~/.llmaudit-complete.bash`, and put
`. ~/.llmaudit-complete.bash` into `~/.bashrc`.
"""  # noqa: E501


def render_page() -> str:
    """Return what docs/cli.md must hold."""
    sections = [f"## {path}\n\n```\n{help_of(path)}```\n" for path in command_paths()]
    return "\n".join((_HEAD, *sections))


def command_paths() -> list[str]:
    """Return every command as it is typed, groups before their commands."""
    return ["llmaudit", *_paths_below("llmaudit", main)]


def _paths_below(path: str, group: click.Group) -> Iterator[str]:
    for name, command in group.commands.items():
        yield f"{path} {name}"
        if isinstance(command, click.Group):
            yield from _paths_below(f"{path} {name}", command)


def help_of(path: str) -> str:
    """Return what a command prints for ``--help``."""
    words = path.split()[1:]
    result = CliRunner().invoke(
        main, [*words, "--help"], prog_name="llmaudit", terminal_width=_WIDTH
    )
    assert result.exit_code == 0
    return result.output


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
