"""Which probe sets a model cannot serve, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmaudit.records import (
    ErrorKind,
    Generation,
    Likelihood,
    ModelFacts,
    ProbeSetFacts,
    RequestError,
    Task,
)
from llmaudit.unserved import unserved_sets

MODEL = ModelFacts("bert", "bert", "0" * 16, "masked")
SET = ProbeSetFacts(
    id="openings",
    digest="0" * 16,
    title="Openings",
    version="1",
    licence="CC0-1.0",
    language="en",
    construct="toxicity",
    task=Task.GENERATE,
    axes=(),
    author="A",
    intended_use="Tests.",
    known_limits=(),
    metrics=(),
    templates=1,
    prompts=2,
)
NO_GAP = "the prompt has no gap"


def failed(message: str, kind: ErrorKind = ErrorKind.UNSUPPORTED) -> Generation:
    return Generation(message, "p", 0, None, error=RequestError(kind, message))


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([failed(NO_GAP), failed(NO_GAP)], f"bert cannot serve probe set openings: {NO_GAP}."),
        (
            [failed("b."), failed("a"), failed("b.")],
            "bert cannot serve probe set openings: b (and 1 more reasons of this kind).",
        ),
        ([], "bert generates no text, which probe set openings needs."),
        ([failed(NO_GAP), failed("broke", ErrorKind.EXCEPTION)], None),
        ([failed(NO_GAP), Generation("r", "p", 0, "text")], None),
        ([failed(NO_GAP), Generation("r", "p", 0, "")], None),
    ],
)
def test_a_set_is_unserved_where_nothing_of_it_can_be_done(
    results: list[Generation], said: str | None
) -> None:
    found = unserved_sets(MODEL, [SET], {"openings": results})
    assert found == ({} if said is None else {"openings": said})


def test_likelihoods_that_a_model_never_gives_have_its_own_reason() -> None:
    choices = replace(SET, id="pairs", task=Task.CHOICES)
    error = RequestError(ErrorKind.UNSUPPORTED, "each for itself")
    results = {"pairs": [Likelihood("r", "p", "yes", None, error=error)]}
    server = replace(MODEL, no_likelihood="The server gives none.")
    assert unserved_sets(server, [choices], results) == {"pairs": "The server gives none."}
    assert unserved_sets(server, [choices], {}) == {"pairs": "The server gives none."}
    needs = "bert gives no likelihoods, which probe set pairs needs."
    assert unserved_sets(MODEL, [choices], {}) == {"pairs": needs}


def test_carriers_are_not_for_the_model() -> None:
    assert unserved_sets(MODEL, [replace(SET, task=Task.CARRIER)], {}) == {}
