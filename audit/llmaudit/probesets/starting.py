"""The commented probe set that people start from."""

from __future__ import annotations

from pathlib import Path

from llmaudit import resources
from llmaudit.errors import UsageError
from llmaudit.probesets.parts import IDENTIFIER

_PLACE = "NEW-ID"


def write_starting_file(path: Path) -> None:
    """Write a commented, sound probe set whose id is the file's name.

    Raises
    ------
    UsageError
        If the file exists, its name can be no id, or it cannot be written.
    """
    if path.suffix != ".yaml" or not IDENTIFIER.fullmatch(path.stem):
        raise UsageError(
            f"{path}: the file's name is the set's id: small letters, digits and hyphens, and "
            f"then .yaml"
        )
    text = (resources.templates_dir() / "new-probe.yaml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text.replace(_PLACE, path.stem))
    except FileExistsError:
        raise UsageError(f"{path} exists; name another file") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
