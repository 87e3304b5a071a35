"""Which answers people are to label: strata, the draw, and a plan that can be checked again.

Every answer of the frame has a known chance above 0 of being drawn. The plan holds the members of
every stratum, so that anybody can draw again from the seed and see that nobody chose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from llmaudit.errors import StoreError, UsageError
from llmaudit.records import canonical_json, content_id
from llmaudit.review.drawing import allocate, draw, rarity

FORMAT = 1
DISPUTED, OPEN, SETTLED, UNJUDGED = "disputed", "open", "settled", "unjudged"
TIERS: Mapping[str, float] = {DISPUTED: 4.0, OPEN: 2.0, SETTLED: 1.0, UNJUDGED: 0.25}
"""How urgent it is to label an answer.

Scorers disagree on it; it bears on a verdict that is open or a fail; on one that is neither; or on
a measure that no check judges.
"""

Key = tuple[str, str, str, str]
"""Probe set, tier, bin and group of a stratum; ``*`` where several are put together."""

_SMALL = 4
_EVERY = "*"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer that could be drawn, with all that its stratum depends on."""

    request_id: str
    probe_set: str
    tier: str
    bin: str
    group: str


@dataclass(frozen=True, slots=True)
class Stratum:
    """Answers with one chance of being drawn; ``*`` stands for several names put together.

    ``members`` and ``drawn`` are request ids in order.
    """

    probe_set: str
    tier: str
    bin: str
    group: str
    members: tuple[str, ...]
    drawn: tuple[str, ...]

    @property
    def weight(self) -> float:
        """Return one over the chance of a member of being drawn."""
        return len(self.members) / len(self.drawn)


@dataclass(frozen=True, slots=True)
class ConstructPlan:
    """The sample of one construct; ``scorer_digest`` names the scores that made its strata."""

    construct: str
    scorer: str
    scorer_digest: str
    strata: tuple[Stratum, ...]

    @property
    def drawn(self) -> tuple[str, ...]:
        """Return the request ids of the sample, in order of strata."""
        return tuple(one for stratum in self.strata for one in stratum.drawn)


@dataclass(frozen=True, slots=True)
class ReviewPlan:
    """A sampling plan. ``run`` is the id of the run it was drawn from."""

    run: str
    number: int
    seed: int
    raters: int
    constructs: tuple[ConstructPlan, ...]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all of the plan."""
        text = canonical_json({"format": FORMAT, **asdict(self)})
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def items(self) -> dict[str, tuple[str, str]]:
        """Return construct and request id of everything to label, by an id that tells nothing."""
        digest = self.digest
        return {
            content_id([digest, one.construct, request])[:12]: (one.construct, request)
            for one in self.constructs
            for request in one.drawn
        }

    def order(self, rater: int) -> list[str]:
        """Return the items in the order in which a rater sees them, by construct and then mixed.

        Where labelling stops early, what was labelled so is a fair sample of what was drawn.
        """
        items = self.items()
        rng = np.random.default_rng([self.seed, int(self.digest[:16], 16), rater])
        ordered: list[str] = []
        for one in self.constructs:
            own = sorted(item for item, (of, _) in items.items() if of == one.construct)
            ordered += [own[index] for index in rng.permutation(len(own))]
        return ordered


def plan_construct(
    construct: str,
    scorer: tuple[str, str],
    candidates: Iterable[Candidate],
    number: int,
    seed: int,
) -> ConstructPlan:
    """Put candidates into strata and draw.

    Parameters
    ----------
    construct : str
    scorer : (str, str)
        Name and digest of the scorer whose scores made the candidates' bins.
    candidates : iterable of Candidate
    number : int
        How many to draw; all where there are no more.
    seed : int

    Raises
    ------
    UsageError
        If ``number`` is too small for one of every probe set.
    """
    members = _stratify(list(candidates), number)
    keys = sorted(members)
    if len(keys) > number:
        raise UsageError(
            f"--n {number} is too small: {construct} needs {len(keys)} at least, one per stratum."
        )
    whole: dict[str, int] = {}
    for key in keys:
        whole[key[0]] = whole.get(key[0], 0) + len(members[key])
    in_bin: dict[tuple[str, str, str], int] = {}
    for key in keys:
        in_bin[key[:3]] = in_bin.get(key[:3], 0) + len(members[key])
    urgency = [TIERS.get(key[1], 1.0) * rarity(in_bin[key[:3]], whole[key[0]]) for key in keys]
    sizes = [len(members[key]) for key in keys]
    drawn = allocate(sizes, urgency, number)
    strata = _draw(construct, {key: members[key] for key in keys}, drawn, seed)
    return ConstructPlan(construct, *scorer, strata)


def _draw(
    construct: str, members: Mapping[Key, Sequence[str]], drawn: Sequence[int], seed: int
) -> tuple[Stratum, ...]:
    rng = np.random.default_rng([seed, int(content_id(["review", construct]), 16)])
    chosen = draw([len(one) for one in members.values()], drawn, rng)
    return tuple(
        Stratum(*key, tuple(ids), tuple(ids[index] for index in places))
        for (key, ids), places in zip(members.items(), chosen, strict=True)
    )


def _stratify(candidates: Sequence[Candidate], number: int) -> dict[Key, list[str]]:
    """Return the members of each stratum, coarser where there would be more than can be drawn.

    Strata with few members are put together over their groups; then all are, then tiers and bins
    too, until twice as many are drawn as there are strata.
    """
    found = _by_key(candidates, _finest)
    small = {key for key, ids in found.items() if len(ids) < _SMALL}
    coarser: tuple[Callable[[Candidate], Key], ...] = (
        lambda one: _every_group(one) if _finest(one) in small else _finest(one),
        _every_group,
        lambda one: (one.probe_set, _EVERY, one.bin, _EVERY),
        lambda one: (one.probe_set, _EVERY, _EVERY, _EVERY),
    )
    for key in coarser:
        found = _by_key(candidates, key)
        if 2 * len(found) <= number:
            break
    return found


def _finest(one: Candidate) -> Key:
    return one.probe_set, one.tier, one.bin, one.group


def _every_group(one: Candidate) -> Key:
    return one.probe_set, one.tier, one.bin, _EVERY


def _by_key(
    candidates: Iterable[Candidate], key: Callable[[Candidate], Key]
) -> dict[Key, list[str]]:
    found: dict[Key, list[str]] = {}
    for one in candidates:
        found.setdefault(key(one), []).append(one.request_id)
    return {name: sorted(ids) for name, ids in found.items()}


def check_plan(plan: ReviewPlan, run: str, answers: Collection[str]) -> None:
    """Make sure that a stored plan is what its seed draws, from answers that the run holds.

    Raises
    ------
    StoreError
        If it is not: somebody changed the plan, or it is another run's.
    """
    wrong = []
    if plan.run != run:
        wrong.append(f"it was drawn from run {plan.run}, not {run}")
    for one in plan.constructs:
        members = {
            (stratum.probe_set, stratum.tier, stratum.bin, stratum.group): stratum.members
            for stratum in one.strata
        }
        number = [len(stratum.drawn) for stratum in one.strata]
        unknown = {key for ids in members.values() for key in ids} - set(answers)
        if unknown:
            wrong.append(f"{one.construct}: {len(unknown)} of its answers are not in the run")
        elif _draw(one.construct, members, number, plan.seed) != one.strata:
            wrong.append(f"{one.construct}: its seed draws other answers")
    if wrong:
        raise StoreError(f"the stored review plan was changed: {'; '.join(wrong)}.")


def read_plan(stored: Mapping[str, Any]) -> ReviewPlan:
    """Return the plan that an event holds.

    Raises
    ------
    StoreError
        If it is none, or not the one whose digest stands beside it.
    """
    try:
        plain = dict(stored["plan"])
        constructs = tuple(
            ConstructPlan(
                **{**one, "strata": tuple(_stratum(stratum) for stratum in one["strata"])}
            )
            for one in plain.pop("constructs")
        )
        plan = ReviewPlan(**plain, constructs=constructs)
        digest = plan.digest
        said = stored["digest"]
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"the store holds a review plan that is none: {error!r}") from error
    if digest != said:
        raise StoreError(f"the stored review plan was changed: its digest is not {said!r:.80}.")
    return plan


def _stratum(plain: Mapping[str, Any]) -> Stratum:
    lists = {name: tuple(str(one) for one in plain[name]) for name in ("members", "drawn")}
    if not lists["drawn"] or not set(lists["drawn"]) <= set(lists["members"]):
        raise ValueError("a stratum of which nothing, or something foreign, was drawn")
    return Stratum(**{**plain, **lists})
