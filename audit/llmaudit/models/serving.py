"""What every kind of network does around its computing: rejecting, recording, giving results."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, TypeVar

from llmaudit.models.base import failed_generation, failed_likelihood
from llmaudit.models.batching import run_isolating_failures
from llmaudit.models.likelihoods import ScoredRow
from llmaudit.models.stepping import SampleRow
from llmaudit.records import (
    ErrorKind,
    Generation,
    GenerationRequest,
    Likelihood,
    LikelihoodRequest,
    Prompt,
    RequestError,
)

Tokens = TypeVar("Tokens")
RowT = TypeVar("RowT")
RequestT = TypeVar("RequestT", GenerationRequest, LikelihoodRequest)


class ServedRow(Protocol):
    """A request on its way through a network, and the error it may come to."""

    error: RequestError | None

    @property
    def request(self) -> GenerationRequest | LikelihoodRequest:
        """The request."""


Row = TypeVar("Row", bound=ServedRow)


class Rejected(Exception):  # noqa: N818 - carries a record, and never leaves a model
    """A request that cannot be put to the network, with the error to record for it."""

    def __init__(self, error: RequestError) -> None:
        super().__init__(error.message)
        self.error = error


def reject(kind: ErrorKind, message: str) -> Rejected:
    """Return the rejection of a request, to be raised."""
    return Rejected(RequestError(kind, message))


def admit(
    requests: Iterable[RequestT], make_row: Callable[[RequestT], RowT]
) -> tuple[list[RowT], list[tuple[RequestT, RequestError]]]:
    """Make the row of every request; return the rows, and the rejected with what was wrong."""
    rows: list[RowT] = []
    rejected: list[tuple[RequestT, RequestError]] = []
    for request in requests:
        try:
            rows.append(make_row(request))
        except Rejected as rejection:
            rejected.append((request, rejection.error))
    return rows, rejected


def once_per_prompt(read: Callable[[Prompt], Tokens]) -> Callable[[Prompt], Tokens]:
    """Return ``read``, done once per prompt; what it raises becomes a rejection with its record."""
    known: dict[str, Tokens | RequestError] = {}

    def look_up(prompt: Prompt) -> Tokens:
        if prompt.id not in known:
            try:
                known[prompt.id] = read(prompt)
            except Rejected as rejected:
                known[prompt.id] = rejected.error
            except Exception as error:
                known[prompt.id] = record_exception(error)
        found = known[prompt.id]
        if isinstance(found, RequestError):
            raise Rejected(found)
        return found

    return look_up


def sample_row(
    read: Callable[[Prompt], tuple[int, ...]], limit: int | None, request: GenerationRequest
) -> SampleRow:
    """Return the row of a text to be continued; one that may outgrow the context is rejected."""
    row = SampleRow(request, read(request.prompt))
    check_length(row.room, limit)
    return row


def pick_choice(choices: Mapping[str, Tokens], label: str) -> Tokens:
    """Return what belongs to one choice of a prompt; one that it does not have is rejected."""
    if label not in choices:
        raise reject(ErrorKind.UNSUPPORTED, f"the prompt has no choice {label!r}")
    return choices[label]


def check_length(tokens: int, limit: int | None) -> None:
    """Reject what does not fit the context; a limit of None is no limit."""
    if limit is not None and tokens > limit:
        message = f"{tokens} tokens do not fit the model's context of {limit}"
        raise reject(ErrorKind.TOO_LONG, message)


def record_exception(error: Exception) -> RequestError:
    """Make the record of an exception that concerned one request."""
    text = "".join(traceback.format_exception(error))
    memory = isinstance(error, MemoryError) or "out of memory" in str(error).lower()
    kind = ErrorKind.OUT_OF_MEMORY if memory else ErrorKind.EXCEPTION
    return RequestError(kind, f"{type(error).__name__}: {error}", text)


def fail_row(row: Row, error: Exception) -> Row:
    """Write the failure of a row that could not be computed even alone into the row."""
    row.error = record_exception(error)
    return row


def serve_plan(
    plan: Iterable[list[Row]],
    compute: Callable[[Sequence[Row]], list[Row]],
    done: AbstractSet[str],
) -> Iterator[Row]:
    """Compute the batches that hold anything not done, whole, and yield what is not done."""
    for batch in plan:
        if all(row.request.id in done for row in batch):
            continue
        rows = run_isolating_failures(batch, compute, fail_row)
        yield from (row for row in rows if row.request.id not in done)


def likelihood_of(row: ScoredRow, tokens: int) -> Likelihood:
    """Return the result of a row that has been computed; ``tokens`` are those it sums over."""
    if row.error is not None:
        return failed_likelihood(row.request, row.error)
    return Likelihood(
        request_id=row.request.id,
        prompt_id=row.request.prompt.id,
        choice=row.request.choice,
        logprob=row.logprob,
        tokens=tokens,
    )


def generation_of(row: SampleRow, decode: Callable[[list[int]], str]) -> Generation:
    """Return the result of a row that has been sampled, its tokens put into text by ``decode``."""
    if row.error is not None:
        return failed_generation(row.request, row.error)
    try:
        text = decode(row.tokens)
    except Exception as error:
        return failed_generation(row.request, record_exception(error))
    return Generation(
        request_id=row.request.id,
        prompt_id=row.request.prompt.id,
        sample_index=row.request.sample_index,
        text=text,
        finish=row.finish,
        prompt_tokens=len(row.prompt_ids),
        new_tokens=len(row.tokens),
    )
