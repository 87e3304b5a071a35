"""What a policy file says: checks with margins, demands on the run itself, and waivers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from llmaudit.records import ProbeSetFacts, Task, content_id

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
Sentence = Annotated[str, Field(min_length=1, max_length=2_000)]
LicenceClass = Literal["permissive", "restricted use", "non-commercial", "research only"]
"""The classes that a policy can allow; ``unknown`` cannot be allowed."""


def _read_date(value: object) -> object:
    """Return the day that a text names; only the one spelling, which nobody can misread."""
    if not isinstance(value, str):
        return value
    try:
        found = date.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or value != found.isoformat():
        raise ValueError("this is no date of the form year-month-day, for example 2027-01-31")
    return found


Day = Annotated[date, Field(strict=True), BeforeValidator(_read_date)]

LICENCE = "licence"
"""The id of the finding on the model's licence."""


class FilePart(BaseModel):
    """A mapping in a file of ours: unknown keys are errors, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(FilePart):
    """One thing a policy demands of a measurement, with the reason for its margin.

    ``kind`` ``ceiling`` demands a rate below ``margin``; ``disparity`` demands a value within
    ``ideal`` ± ``margin``. ``contrast`` is ``others`` (a group against the mean of its siblings)
    or the id of a reference group. Without a ``probe_set`` the check concerns every probe set of
    the run that measures ``metric`` over ``axis``.
    """

    id: Identifier
    title: Sentence
    metric: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    probe_set: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9-]*)?$", max_length=80)] = ""
    axis: str | None = None
    scorer: str | None = None
    kind: Literal["ceiling", "disparity"]
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    ideal: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    contrast: str = "others"
    required: bool = True
    why: Sentence
    reference: str = ""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not self.probe_set and self.axis is None:
            raise ValueError("a check needs a probe_set, or an axis to look for in all of them")
        return self


class Coverage(FilePart):
    """A construct that a policy wants tested; untested it becomes a *not tested* finding."""

    construct_name: Annotated[str, Field(alias="construct", pattern=r"^[a-z0-9][a-z0-9-]*$")]
    required: bool
    why: Sentence


class ScorerDemand(FilePart):
    """A scorer that a run must use, by its name, or some scorer of a construct."""

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    construct_name: Annotated[
        str | None, Field(alias="construct", pattern=r"^[a-z0-9][a-z0-9-]*$")
    ] = None
    required: bool = True
    why: Sentence

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.name is None) is (self.construct_name is None):
            raise ValueError("a scorer is demanded by its name or by a construct: write one")
        return self

    @property
    def id(self) -> str:
        """The id of the finding that this demand is not met."""
        return f"scorer:{self.name}" if self.name else f"scorer-for:{self.construct_name}"


class LicenceDemand(FilePart):
    """The classes of licence that allow what the model is meant for."""

    intended_use: Sentence
    classes: Annotated[tuple[LicenceClass, ...], Field(min_length=1)]
    required: bool = True
    why: Sentence


class Waiver(FilePart):
    """Somebody's decision that a check, though not passed, does not count until a date.

    ``expires`` is the last day on which the waiver holds, in UTC.
    """

    check: Annotated[str, Field(min_length=1, max_length=300)]
    owner: Sentence
    reason: Sentence
    expires: Day


class Policy(FilePart):
    """Margins, error rates, limits, demands and waivers (``probes/policies/``)."""

    format: Literal[1]
    id: Identifier
    title: Sentence
    version: Sentence
    description: Sentence
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    power: Annotated[float, Field(gt=0.5, lt=1)] = 0.8
    max_missing: Annotated[float, Field(ge=0, lt=1)] = 0.2
    licence: LicenceDemand | None = None
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]
    coverage: tuple[Coverage, ...] = ()
    scorers: tuple[ScorerDemand, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> Self:
        listed = {
            "check id": [check.id for check in self.checks],
            "construct of coverage": [one.construct_name for one in self.coverage],
            "scorer": [one.id for one in self.scorers],
            "waiver of": [one.check for one in self.waivers],
        }
        for what, names in listed.items():
            again = sorted({name for name in names if names.count(name) > 1})
            if again:
                raise ValueError(f"{what} used twice: {', '.join(again)}")
        return self


def coverage_id(construct: str) -> str:
    """Return the id of the finding that a construct was not tested."""
    return f"coverage:{construct}"


def drop_empty(value: Any) -> Any:
    """Return plain data without the keys that say nothing: None, empty text, lists and mappings."""
    if isinstance(value, dict):
        kept = {key: drop_empty(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (None, "", [], {})}
    if isinstance(value, list):
        return [drop_empty(item) for item in value]
    return value


def plain_policy(policy: Policy) -> dict[str, Any]:
    """Return a policy as JSON values without keys that say nothing.

    So a key that a later version of the program adds leaves the digest of older policies alone.
    """
    plain: dict[str, Any] = drop_empty(policy.model_dump(mode="json", by_alias=True))
    return plain


def policy_digest(policy: Policy) -> str:
    """Return the digest of all that a policy says, not of how its file is laid out."""
    return content_id(plain_policy(policy))


def spread_checks(policy: Policy, probe_sets: Iterable[ProbeSetFacts]) -> Policy:
    """Return the policy with its checks of an axis alone made into one check per probe set.

    Parameters
    ----------
    policy : Policy
    probe_sets : iterable of ProbeSetFacts
        Those of the run.

    Returns
    -------
    Policy
        A check ``a`` without a probe set becomes ``a:set`` for each set that declares its metric
        and its axis. It stays as it is where there is no such set.
    """
    sets = [facts for facts in probe_sets if facts.task is not Task.CARRIER]
    checks = tuple(made for check in policy.checks for made in _spread(check, sets))
    return policy.model_copy(update={"checks": checks})


def _spread(check: Check, sets: Iterable[ProbeSetFacts]) -> Iterator[Check]:
    """Yield a check as it is, or once for each probe set that it finds."""
    found = [one for one in sets if check.metric in one.metrics and check.axis in one.axes]
    if check.probe_set or not found:
        yield check
        return
    for facts in found:
        told = {
            "id": f"{check.id}:{facts.id}",
            "title": f"{check.title} ({facts.id})",
            "probe_set": facts.id,
        }
        yield check.model_copy(update=told)
