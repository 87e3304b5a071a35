"""What the report says of a model on a server."""

from __future__ import annotations

import pytest

from llmaudit.models.openai_address import Key, find_address
from llmaudit.models.openai_endpoints import Endpoint
from llmaudit.models.openai_survey import Survey, make_facts
from llmaudit.records import (
    ModelFacts,
)

SECRET = "sk-very-secret-0123456789"  # noqa: S105


def test_numbers_that_json_cannot_hold_do_not_reach_the_digest() -> None:
    def facts(number: object) -> ModelFacts:
        survey = Survey({"meta": {"n": [number]}}, Endpoint(chat=False), None, None, {"reader": ""})
        return make_facts("toy", find_address("http://localhost", {}), None, survey)

    assert facts(float("inf")).digest == facts(None).digest != facts(7.0).digest


@pytest.mark.parametrize("key", [None, Key(SECRET, "OPENAI_API_KEY")])
def test_an_open_connection_is_told_of(key: Key | None) -> None:
    survey = Survey({}, Endpoint(chat=True), None, None, {"plain": "404", "reader": "none"})
    facts = make_facts("toy", find_address("http://gpu.lan/v1", {}), key, survey)
    assert any("not encrypted" in note for note in facts.notes)
    assert any("and the key could be read" in note for note in facts.notes) is (key is not None)
