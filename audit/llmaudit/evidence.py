"""What a run has gathered -> the measurements that checks and probe sets name, each made once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from llmaudit.arranging import carriers_of, without_refused
from llmaudit.findings import NO_SCORER_OWN, Measurement
from llmaudit.looks import Look
from llmaudit.metrics import METRICS, measure
from llmaudit.metrics.corrected import add_corrected
from llmaudit.records import (
    ProbeSetFacts,
    ScoredChoices,
    ScoredSample,
    ScorerFacts,
    WrittenSample,
    content_id,
)

if TYPE_CHECKING:
    import numpy as np

#: What scorers read by counting, or by fixed words, whatever else a text says. Such a scorer gives
#: texts that differ in the group they name the same value, so it has no disparity of its own.
_COUNTED = frozenset({"length", "decision"})


@dataclass(frozen=True)
class Evidence:
    """What a run has gathered, arranged by probe set and scorer.

    Attributes
    ----------
    probe_sets : mapping of str to ProbeSetFacts
    samples : mapping of (probe set, scorer) to sequence of ScoredSample
    choices : mapping of probe set to sequence of ScoredChoices
    carriers : mapping of scorer to sequence of ScoredSample
        Scores of carrier sentences, of every language and class.
    scorers : mapping of str to ScorerFacts
        Those that were loaded.
    missing_scorers : mapping of str to str
        Those that were not, and why.
    unserved : mapping of str to str
        The probe sets that the model cannot serve, and why.
    licence, licence_class : str
        The model's licence by name and by class.
    written : mapping of probe set to sequence of WrittenSample
    """

    probe_sets: Mapping[str, ProbeSetFacts]
    samples: Mapping[tuple[str, str], Sequence[ScoredSample]]
    choices: Mapping[str, Sequence[ScoredChoices]]
    carriers: Mapping[str, Sequence[ScoredSample]]
    scorers: Mapping[str, ScorerFacts]
    missing_scorers: Mapping[str, str] = field(default_factory=dict)
    unserved: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    licence_class: str = "unknown"
    written: Mapping[str, Sequence[WrittenSample]] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasureKey:
    """One measurement to make."""

    metric: str
    probe_set: str
    axis: str | None
    scorer: str | None
    contrast: str = "others"


def find_rows(evidence: Evidence, key: MeasureKey) -> list[Any]:
    """Return the rows of the model's results that a measurement is made of."""
    rows: Sequence[Any]
    needs = METRICS[key.metric].needs
    if needs == "choices":
        rows = evidence.choices.get(key.probe_set, ())
    elif needs == "texts":
        rows = evidence.written.get(key.probe_set, ())
    else:
        scored = evidence.samples.get((key.probe_set, str(key.scorer)), ())
        if _is_blind_to_refusals(evidence, key):
            scored = without_refused(scored, _labelled_refusals(evidence, key.probe_set))
        rows = scored
    return _of_axis(rows, key)


def _is_blind_to_refusals(evidence: Evidence, key: MeasureKey) -> bool:
    """Say whether groups are compared by what is said of them, which a refusal leaves open."""
    facts = evidence.scorers.get(str(key.scorer))
    content = facts is not None and facts.construct in {"toxicity", "sentiment", "regard"}
    return content and METRICS[key.metric].by_axis


def _labelled_refusals(evidence: Evidence, probe_set: str) -> Iterator[ScoredSample]:
    for name, facts in evidence.scorers.items():
        if facts.construct == "refusal":
            yield from evidence.samples.get((probe_set, name), ())


def _of_axis(rows: Sequence[Any], key: MeasureKey) -> list[Any]:
    return [row for row in rows if key.axis is None or row.prompt.axis == key.axis]


class Measurer:
    """Makes each measurement once."""

    def __init__(self, evidence: Evidence, seed: int) -> None:
        self._evidence = evidence
        self._seed = seed
        self._made: dict[tuple[str, MeasureKey, frozenset[str] | None], Measurement] = {}

    def measure(self, key: MeasureKey, look: Look) -> Measurement:
        """Return the measurement of the model at a look."""
        return self._measure("model", key, self.rows(key, look), look.templates)

    def rows(self, key: MeasureKey, look: Look) -> list[Any]:
        """Return the rows that a measurement of the model is made of at a look."""
        rows = find_rows(self._evidence, key)
        if look.templates is None:
            return rows
        return [row for row in rows if row.prompt.template_id in look.templates]

    def generator(self, of: str, key: MeasureKey) -> np.random.Generator:
        """Return a generator seeded by the run's seed and by what is measured of what."""
        import numpy as np

        name = [self._seed, of, key.metric, key.probe_set, key.axis, key.scorer, key.contrast]
        return np.random.default_rng(int(content_id(name), 16))

    def measure_scorer(self, key: MeasureKey) -> Measurement:
        """Return the same metric of the scorer alone, on neutral texts of the set's language."""
        rows = self._evidence.carriers.get(str(key.scorer), ())
        language = self._evidence.probe_sets[key.probe_set].language
        return self._measure("scorer", key, carriers_of(rows, language))

    def _measure(
        self,
        of: str,
        key: MeasureKey,
        rows: Sequence[Any],
        templates: frozenset[str] | None = None,
    ) -> Measurement:
        if key.scorer is None and METRICS[key.metric].needs == "scores":
            return _without_scorer(key)
        if (of, key, templates) not in self._made:
            rng = self.generator(of, key)
            made = measure(
                key.metric,
                _of_axis(rows, key),
                probe_set=key.probe_set,
                axis=key.axis,
                scorer=key.scorer,
                contrast=key.contrast,
                rng=rng,
            )
            facts = self._evidence.scorers.get(str(key.scorer))
            if facts is not None:
                made = add_corrected(made, facts, rng)
                made = _without_own(made) if only_counts(facts) else made
            self._made[of, key, templates] = made
        return self._made[of, key, templates]


def _without_scorer(key: MeasureKey) -> Measurement:
    """Return that a metric which a probe set declares was not measured for want of a scorer."""
    return Measurement(
        metric=key.metric,
        probe_set=key.probe_set,
        axis=key.axis,
        scorer=None,
        parts=(),
        observed=None,
        n=0,
        n_missing=0,
        missing_reasons={},
        reason=f"No scorer for {METRICS[key.metric].construct} was used in this run.",
    )


def _without_own(made: Measurement) -> Measurement:
    """Return a measurement that says of itself that its scorer has no disparity of its own."""
    return replace(made, detail={**made.detail, NO_SCORER_OWN: True})


def only_counts(facts: ScorerFacts) -> bool:
    """Say whether a scorer cannot have a disparity of its own: it looks for no meaning."""
    return facts.construct in _COUNTED
