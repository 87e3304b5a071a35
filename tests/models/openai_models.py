"""Models on servers of tests."""

from __future__ import annotations

from llmaudit.models.openai import Server, ServerModel, open_server_model
from llmaudit.models.openai_address import find_address
from llmaudit.models.openai_client import Limits


def open_model(
    url: str, *, seconds: float = 20, concurrency: int = 4, prompt_format: str = "auto"
) -> ServerModel:
    """Open a model on a server, patient for ``seconds`` and quick to try again."""
    limits = Limits(seconds, concurrency, first_wait=0.001)
    server = Server(find_address(url, {}), None, limits)
    return open_server_model("toy", server, prompt_format=prompt_format)
