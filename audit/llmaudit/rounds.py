"""Adaptive runs: what is asked in which round, and what every round settles.

Each round adds a portion to the cells (probe set and axis) that have an open check, and judges
anew. A check that passes or fails keeps that verdict and that look's interval. An open check is
judged at the newest look that all of its cells have reached. A check that the rest of its probe
set could not settle any more is given up. All of it follows from what is in the store, so that
a run that was stopped goes on the same way, and a report comes to the same findings.

Why looking early does not inflate errors: see `llmaudit.stats.sequential` for one check. Over
checks, Holm's procedure runs on p / share, which is at most a exactly where the look may claim
at level a. Its first wrong claim needs some check with p / share <= alpha / (number of checks that
are not yet rightly claimed) at one of its looks, whatever was asked when, and for whatever reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from llmaudit.analysis import Analysis, Analyst
from llmaudit.config import Check, Policy
from llmaudit.evidence import MeasureKey
from llmaudit.findings import Finding, Measurement, Round, RoundPart, Rounds
from llmaudit.looks import Cell, Design, Look
from llmaudit.records import ProbeSetFacts, Task, Verdict
from llmaudit.verdicts import within_reach

Held = Collection[tuple[Cell, int]]
"""The cells and portions of which the store holds every result."""

_SETTLED = {Verdict.PASS, Verdict.FAIL}


class Judge(Protocol):
    """What the rounds need of an `llmaudit.analysis.Analyst`."""

    policy: Policy
    keys: dict[str, MeasureKey]

    def measure(self, check: str, look: Look) -> Measurement:
        """Return the measurement of a check, by id, at a look."""
        ...

    def judge(self, looks: Mapping[str, Look]) -> tuple[Finding, ...]:
        """Hold every check against its measurement at a look."""
        ...


@dataclass(frozen=True)
class Played:
    """What the rounds came to, and the cells that have to be asked on before there is another."""

    findings: tuple[Finding, ...]
    rounds: tuple[Round, ...]
    reached: Mapping[Cell, int]
    wanted: tuple[Cell, ...]
    refused: tuple[Cell, ...]


def play_rounds(
    analyst: Judge,
    design: Design,
    tasks: Mapping[str, Task],
    held: Held,
    refused: Collection[Cell] | None = None,
) -> Played:
    """Play the rounds of a run as far as the results in the store allow.

    Parameters
    ----------
    analyst : Judge
        With what the store holds as evidence.
    design : Design
    tasks : mapping of probe set id to Task
    held : collection of (Cell, int)
        The first portions count as held: they are asked before anything is judged.
    refused : collection of Cell, optional
        Cells that will not be asked on; the rounds go on without them. None for all cells, as when
        the run has ended.
    """
    return _Player(analyst, design, tasks, held, refused).play()


class _Player:
    """Plays one round after another."""

    def __init__(
        self,
        analyst: Judge,
        design: Design,
        tasks: Mapping[str, Task],
        held: Held,
        refused: Collection[Cell] | None,
    ) -> None:
        self._analyst, self._design, self._tasks = analyst, design, tasks
        self._held, self._refusable = held, refused
        self._checks = {one.id: one for one in analyst.policy.checks if one.id in analyst.keys}
        self._cells = {name: self._cells_of(key) for name, key in analyst.keys.items()}
        self._reached = dict.fromkeys(design.cells(), 1)
        self._settled: dict[str, tuple[Look, Finding, int]] = {}
        self._given_up: dict[str, int] = {}
        self._refused: dict[Cell, None] = {}

    def play(self) -> Played:
        """Return what the rounds came to."""
        rounds: list[Round] = []
        asked = self._design.cells()
        while True:
            looks = {name: self._look(name) for name in self._checks}
            findings = self._judge(looks)
            before = set(self._settled) | set(self._given_up)
            number = len(rounds) + 1
            self._settle(findings, looks, number)
            ended = self._give_up(findings, looks, number)
            rounds.append(self._round(number, asked, before))
            wanted = self._wanted(ended)
            missing = [cell for cell in wanted if not self._holds(cell)]
            if self._refusable is not None and not set(missing) <= set(self._refusable):
                break
            self._refused |= dict.fromkeys(missing)
            asked = tuple(cell for cell in wanted if cell not in missing)
            missing = []
            if not asked:
                break
            for cell in asked:
                self._reached[cell] += 1
        told = tuple(self._tell(finding, looks) for finding in findings)
        refused = self._refusable or ()
        wanted_next = tuple(cell for cell in missing if cell not in refused)
        return Played(told, tuple(rounds), dict(self._reached), wanted_next, tuple(self._refused))

    def _cells_of(self, key: MeasureKey) -> tuple[Cell, ...]:
        return tuple(
            cell
            for cell in self._design.cells()
            if cell.probe_set == key.probe_set and key.axis in (None, cell.axis)
        )

    def _look(self, check: str) -> Look:
        """Return the look at which a check is judged: the one that settled it, or the newest."""
        if check in self._settled:
            return self._settled[check][0]
        return _newest(self._analyst.keys[check], self._design, self._reached)

    def _judge(self, looks: Mapping[str, Look]) -> tuple[Finding, ...]:
        """Judge every check at its look; what is settled stays as it was found."""
        fresh = self._analyst.judge(looks)
        return tuple(
            self._settled[one.check][1] if one.check in self._settled else one for one in fresh
        )

    def _settle(self, findings: Iterable[Finding], looks: Mapping[str, Look], number: int) -> None:
        for finding in findings:
            name = finding.check
            if name in self._settled or name not in looks or finding.verdict not in _SETTLED:
                continue
            self._settled[name] = (looks[name], finding, number)
            self._given_up.pop(name, None)

    def _give_up(
        self, findings: Iterable[Finding], looks: Mapping[str, Look], number: int
    ) -> set[str]:
        """Give up what is out of reach and return the checks that nothing more will be asked for.

        The last level that counts is the one a check would be judged at if every other check still
        in reach were settled. To give one up can put others out of reach.
        """
        open_now = {
            f.check: f for f in findings if f.check in looks and f.check not in self._settled
        }
        used_up = {name for name in open_now if looks[name].growth == 1}
        lost = {name for name in used_up if self._is_lost(open_now[name], looks[name])}
        candidates = set(open_now) - used_up - set(self._given_up)
        while True:
            left = 1 + len(lost) + len(self._given_up)
            out = {
                name
                for name in candidates
                if not self._within_reach(open_now[name], looks[name], left)
            }
            self._given_up |= dict.fromkeys(sorted(out), number)
            candidates -= out
            if not out:
                return used_up | set(self._given_up)

    def _is_lost(self, finding: Finding, look: Look) -> bool:
        """Return whether no level that Holm's procedure could come to would settle a check."""
        alpha = self._analyst.policy.alpha * look.spending.now
        return finding.p_value is None or finding.p_value > alpha

    def _within_reach(self, finding: Finding, look: Look, left: int) -> bool:
        check: Check = self._checks[finding.check]
        policy = self._analyst.policy
        return within_reach(
            finding,
            check,
            self._analyst.measure(finding.check, look),
            policy,
            alpha=policy.alpha / left * look.spending.last,
            growth=look.growth,
        )

    def _wanted(self, ended: Collection[str]) -> list[Cell]:
        """Return the cells that an open check needs more of, in the suite's order."""
        needed = {
            cell
            for name, cells in self._cells.items()
            if name not in self._settled and name not in ended
            for cell in cells
        }
        return [
            cell
            for cell, reached in self._reached.items()
            if cell in needed
            and reached < self._design.looks(cell.probe_set)
            and cell not in self._refused
        ]

    def _holds(self, cell: Cell) -> bool:
        return (cell, self._reached[cell] + 1) in self._held

    def _round(self, number: int, asked: Iterable[Cell], before: set[str]) -> Round:
        return Round(
            number,
            tuple(self._part(cell) for cell in asked),
            tuple(name for name in self._checks if name in self._settled and name not in before),
            tuple(name for name in self._checks if name in self._given_up and name not in before),
            tuple(
                name
                for name in self._checks
                if name not in self._settled and name not in self._given_up
            ),
        )

    def _part(self, cell: Cell) -> RoundPart:
        number = self._reached[cell]
        requests = self._design.requests(cell, number)
        generated = self._tasks[cell.probe_set] is Task.GENERATE
        return RoundPart(
            cell.probe_set,
            cell.axis,
            number,
            self._design.looks(cell.probe_set),
            self._design.prompts(cell, number),
            requests if generated else 0,
            0 if generated else requests,
            1 / self._design.look(cell.probe_set, number).growth,
        )

    def _tell(self, finding: Finding, looks: Mapping[str, Look]) -> Finding:
        """Return a finding with the look it was judged at, and why nothing more was asked."""
        name = finding.check
        if name not in looks:
            return finding
        look = looks[name]
        looks_there = self._design.looks(self._analyst.keys[name].probe_set)
        detail = {"look": look.number, "looks": looks_there, "share_of_alpha": look.spending.now}
        if name in self._settled:
            detail["settled_in_round"] = self._settled[name][2]
        exact = (
            f"Judged at look {look.number} of {looks_there}, which may spend "
            f"{look.spending.now:.3g} of its alpha."
        )
        why = self._why_ended(name, look)
        return replace(
            finding,
            reason="; ".join(one for one in (self._ended_shortly(name), finding.reason) if one),
            plain=_join(finding.plain, why),
            exact=_join(finding.exact, exact, why),
            detail={**finding.detail, **detail},
        )

    def _ended_shortly(self, name: str) -> str:
        """Return the few words that a table has room for."""
        number = self._given_up.get(name)
        return "" if number is None else f"given up after round {number}"

    def _why_ended(self, name: str, look: Look) -> str:
        if name in self._settled:
            return ""
        if name in self._given_up:
            return (
                f"It was given up after round {self._given_up[name]}: no value that the answers so "
                f"far leave likely would be settled by the rest of the probe set."
            )
        if look.growth == 1:
            return "All of its prompts were asked."
        return "The run ended before its next prompts were asked."


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def conclude_rounds(
    analyst: Analyst, design: Design, played: Played, probe_sets: Mapping[str, ProbeSetFacts]
) -> tuple[Analysis, Rounds]:
    """Return what rounds that have ended come to, and the account of them.

    A check's measurement is shown at the check's look, any other at the newest look at its prompts;
    its interval is at the level that this look may spend, so that it holds however the run ended.
    """
    looks = {key: _newest(key, design, played.reached) for key in analyst.everything()}
    for finding in played.findings:
        if finding.check in analyst.keys:
            key = analyst.keys[finding.check]
            looks[key] = design.look(key.probe_set, int(finding.detail["look"]))
    analysis = analyst.conclude(played.findings, looks)
    by_set: Counter[str] = Counter()
    for cell in design.cells():
        every = range(1, design.looks(cell.probe_set) + 1)
        by_set[cell.probe_set] += sum(design.requests(cell, one) for one in every)
    full: Counter[Task] = Counter()
    for name, requests in by_set.items():
        full[probe_sets[name].task] += requests
    parts = [part for one in played.rounds for part in one.parts]
    rounds = Rounds(
        played.rounds,
        sum(part.generations for part in parts),
        sum(part.likelihoods for part in parts),
        full[Task.GENERATE],
        full[Task.CHOICES],
        dict(by_set),
        tuple((cell.probe_set, cell.axis) for cell in played.refused),
    )
    return analysis, rounds


def _newest(key: MeasureKey, design: Design, reached: Mapping[Cell, int]) -> Look:
    """Return the newest look that all prompts of a measurement have reached.

    Where ``--limit`` left no prompt of its axis, that is the last one: there is nothing to ask.
    """
    numbers = [
        number
        for cell, number in reached.items()
        if cell.probe_set == key.probe_set and key.axis in (None, cell.axis)
    ]
    return design.look(key.probe_set, min(numbers, default=design.looks(key.probe_set)))
