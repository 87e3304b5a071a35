"""Command groups: an unknown command names the nearest one, errors become messages and codes."""

from __future__ import annotations

import contextlib
import difflib
import sys
from typing import Any

import click

from llmaudit.errors import EXIT_INCOMPLETE, AuditError


class NearestGroup(click.Group):
    """A group whose error for an unknown command names the nearest known one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they are used, not by letter."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with the nearest name and all of them."""
        name = args[0]
        known = self.list_commands(ctx)
        if name in known or name.startswith("-"):
            return super().resolve_command(ctx, args)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        ctx.fail(f"No such command {name!r}.{hint} Known: {', '.join(known)}.")


class MainGroup(NearestGroup):
    """Turns every way to end into one message on standard error and the exit code it means.

    Exit code 1 is a failed audit and nothing else: what Python and click would end with 1, an
    interruption or a fault of the program, ends with 4 here.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except AuditError as error:
            _say(str(error))
            code = error.exit_code
        except (KeyboardInterrupt, click.Abort):
            _say("stopped.")
            code = EXIT_INCOMPLETE
        except BrokenPipeError:
            _close_output()
            code = EXIT_INCOMPLETE
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception:
            import traceback

            traceback.print_exc()
            _say("this is a fault of llmaudit itself; the lines above say where.")
            code = EXIT_INCOMPLETE
        sys.exit(code)


def _say(message: str) -> None:
    from llmaudit.report.escaping import terminal_safe

    with contextlib.suppress(OSError):
        click.echo(f"llmaudit: {terminal_safe(message)}", err=True)


def _close_output() -> None:
    """Send what is still to be printed nowhere: its reader has left."""
    import os

    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
