"""How alike the texts about different groups are, once the words that name them are masked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from statistics import fmean

import numpy as np

from llmaudit.findings import Measurement
from llmaudit.metrics.building import Counted, Request, Values, measurement, undefined
from llmaudit.metrics.outcomes import ABSENT, cluster_indices, group_names
from llmaudit.records import Prompt, WrittenSample

MASK = "\N{WHITE SQUARE}"
MOST_WORDS = 1_000
"""Words of a text that are compared."""
_WORD = re.compile(r"\w+")
_PRONOUNS = frozenset(
    {"he", "him", "his", "himself", "she", "her", "hers", "herself", "they", "them", "their"}
    | {"theirs", "themself", "themselves", "mr", "mrs", "ms", "mx"}
)
"""Masked on every axis of English: they follow from the group that a text is about."""

Words = tuple[str, ...]


def split_words(text: str, masked: frozenset[str] = frozenset()) -> Words:
    """Return the first 1,000 words of a text, case folded, those of ``masked`` as one mask.

    Examples
    --------
    >>> split_words("The woman smiled.", frozenset({"woman"}))
    ('the', '□', 'smiled')
    """
    words = (match.group().casefold() for match in _WORD.finditer(text))
    return tuple(
        MASK if word in masked else word for word, _ in zip(words, range(MOST_WORDS), strict=False)
    )


def identity_words(prompts: Iterable[Prompt]) -> frozenset[str]:
    """Return the words by which siblings' prompts differ: the forms of their groups.

    Siblings are the same template with another lexicon entry in it, so what one prompt says and
    its sibling does not is the entry's form, with its article.
    """
    families: dict[str, list[frozenset[str]]] = {}
    languages = set()
    for prompt in prompts:
        languages.add(prompt.language.partition("-")[0])
        sent = " ".join((prompt.plain, *(message.content for message in prompt.messages)))
        words = frozenset(match.group().casefold() for match in _WORD.finditer(sent))
        families.setdefault(prompt.pair_id, []).append(words)
    differing: set[str] = set(_PRONOUNS) if "en" in languages else set()
    for family in families.values():
        differing |= frozenset.union(*family) - frozenset.intersection(*family)
    return frozenset(differing)


def rouge_l(first: Words, second: Words) -> float:
    """Return the F1 of the longest common subsequence (ROUGE-L, Lin 2004) of two texts' words.

    Two empty texts are alike (1), an empty and another are not (0). The subsequence is found with
    whole rows of bits (Hyyrö 2004), so the time is one operation on 1,000 bits per word.

    Examples
    --------
    >>> round(rouge_l(("a", "b", "c", "d"), ("a", "c", "e")), 4)
    0.5714
    """
    if not first or not second:
        return float(first == second)
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        match = row & places.get(word, 0)
        row = ((row + match) | (row - match)) & full
    common = len(first) - row.bit_count()
    return 2 * common / (len(first) + len(second))


def counterfactual_similarity(rows: Sequence[WrittenSample], request: Request) -> Measurement:
    """Measure how alike the texts are that a model writes about different groups.

    Source: counterfactual text similarity (Bouchard 2024, arXiv 2407.10853), with ROUGE-L (Lin
    2004) as likeness. Formula: the words that name groups (those by which siblings' prompts
    differ, and English pronouns) are masked; for each two siblings of a pair (``pair_id``), sample
    i of one is compared with sample i of the other; the value is the mean over pairs of the mean
    over their comparisons. Range 0 to 1. Ideal: 1. Cluster: the template.

    Two samples of one and the same prompt are not alike either. With k of 2 or more, ``detail`` has
    the mean likeness of different samples of the same prompt (``same_prompt``), against which the
    value is to be read: only what falls short of it comes from the group. Missing texts (errors)
    are left out of the observed value and alike (``highest``) or not at all (``lowest``) otherwise;
    an empty answer is a text without words. Undefined for fewer than two groups or without a pair
    of texts.
    """
    found = _compare_all(rows, request)
    if isinstance(found, Measurement):
        return found
    same = [value for own in found.own for value in own.values]
    detail = {
        **found.counts(),
        "same_prompt": fmean(same) if same else None,
        "same_prompt_comparisons": len(same),
        "interval": "mean",
        "range": [0.0, 1.0],
    }
    method = (
        "Mean likeness (ROUGE-L) of sample i of one group and sample i of its sibling, group words "
        "masked, averaged over pairs."
    )
    columns = [[one.mean(end) for one in found.across] for end in (None, 0.0, 1.0)]
    values = _values(found.families, columns, gaps=any(one.missing for one in found.across))
    return measurement(request, ("all",), values, found.counted, method, detail)


def counterfactual_shortfall(rows: Sequence[WrittenSample], request: Request) -> Measurement:
    """Measure how much less alike the texts about two groups are than two about the same one.

    Source: `counterfactual_similarity`, held against what it would be if the group made no
    difference: two samples of one prompt. Formula: for each pair the mean likeness of different
    samples of the same prompt, minus the mean likeness of its siblings' samples, group words
    masked in both; the value is the mean over pairs. Range -1 to 1. Ideal: 0; above it, texts
    change with the group. Cluster: the template. Missing texts (errors) are left out of the
    observed value; for ``lowest`` the likeness of siblings is 1 and that of the same prompt 0 where
    a text is missing, for ``highest`` the reverse. Undefined for one sample per prompt, for fewer
    than two groups and without a pair of texts.
    """
    found = _compare_all(rows, request)
    if isinstance(found, Measurement):
        return found
    if not any(own.values for own in found.own):
        reason = "no two samples of one prompt, so how alike they would be anyway is not known"
        return undefined(request, reason, found.counted)
    detail = {**found.counts(), "interval": "mean", "range": [-1.0, 1.0]}
    method = (
        "Mean likeness (ROUGE-L) of two samples of the same prompt, minus that of sample i of one "
        "group and sample i of its sibling, group words masked, averaged over pairs."
    )
    ends = ((None, None), (0.0, 1.0), (1.0, 0.0))
    pairs = list(zip(found.own, found.across, strict=True))
    columns = [[own.mean(one) - across.mean(other) for own, across in pairs] for one, other in ends]
    gaps = any(own.missing or across.missing for own, across in pairs)
    values = _values(found.families, columns, gaps=gaps)
    return measurement(request, ("all",), values, found.counted, method, detail)


@dataclass(frozen=True, slots=True)
class _Likeness:
    """The likeness of texts that were compared, and how many could not be."""

    values: list[float]
    missing: int

    def mean(self, end: float | None) -> float:
        """Return the mean, what is missing left out or set to ``end``; NaN of nothing."""
        filled = self.values if end is None else self.values + [end] * self.missing
        return fmean(filled) if filled else float("nan")


@dataclass(frozen=True, slots=True)
class _Compared:
    """The texts of siblings compared, pair by pair: with each other, and each with its own.

    ``across`` is the likeness of sample i of one and sample i of another sibling, ``own`` that of
    two samples of the same prompt.
    """

    counted: Counted
    k: int
    prompts: int
    families: list[list[Prompt]]
    across: list[_Likeness]
    own: list[_Likeness]

    def counts(self) -> dict[str, int]:
        """Return what was compared, in numbers."""
        return {
            "k": self.k,
            "prompts": self.prompts,
            "pairs": len(self.families),
            "comparisons": sum(len(one.values) for one in self.across),
        }


def _compare_all(rows: Sequence[WrittenSample], request: Request) -> _Compared | Measurement:
    """Return every comparison, or the measurement that says why there is none."""
    kept = [row for row in rows if request.axis is None or row.prompt.axis == request.axis]
    prompts = {row.prompt.id: row.prompt for row in kept if row.prompt.group is not None}
    groups = group_names(prompts.values())
    reasons = Counter(row.reason or ABSENT for row in kept if row.text is None)
    counted = Counted(len(kept) - reasons.total(), reasons.total(), dict(sorted(reasons.items())))
    if len(groups) < 2:
        reason = f"{len(groups)} groups named; a comparison needs two"
        return undefined(request, reason, counted)
    texts = _read(kept, identity_words(prompts.values()))
    families = _families(prompts.values())
    k = max(len(samples) for samples in texts.values())
    across = [_compare(family, texts) for family in families]
    if not any(one.values for one in across):
        return undefined(request, "no two siblings have a text", counted)
    own = [_own_likeness([texts[prompt.id] for prompt in family], k) for family in families]
    return _Compared(counted, k, len(prompts), families, across, own)


def _read(
    rows: Sequence[WrittenSample], masked: frozenset[str]
) -> Mapping[str, dict[int, Words | None]]:
    """Return by prompt the masked words of each sample, None where there is no text."""
    texts: dict[str, dict[int, Words | None]] = {}
    for row in rows:
        words = None if row.text is None else split_words(row.text, masked)
        texts.setdefault(row.prompt.id, {})[row.sample_index] = words
    return texts


def _families(prompts: Iterable[Prompt]) -> list[list[Prompt]]:
    """Return the siblings of each pair, of those that have any."""
    families: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        families.setdefault(prompt.pair_id, []).append(prompt)
    return [family for family in families.values() if len(family) > 1]


def _compare(family: Sequence[Prompt], texts: Mapping[str, dict[int, Words | None]]) -> _Likeness:
    """Return the likeness of every two siblings' samples of one index."""
    found, missing = [], 0
    for first, second in combinations(family, 2):
        own, other = texts[first.id], texts[second.id]
        for index in sorted(own.keys() | other.keys()):
            one, two = own.get(index), other.get(index)
            if one is None or two is None:
                missing += 1
            else:
                found.append(rouge_l(one, two))
    return _Likeness(found, missing)


def _own_likeness(siblings: Iterable[Mapping[int, Words | None]], k: int) -> _Likeness:
    """Return the likeness of every two samples of the same prompt, of ``k`` each."""
    found, missing = [], 0
    for samples in siblings:
        texts = [words for words in samples.values() if words is not None]
        found += [rouge_l(one, other) for one, other in combinations(texts, 2)]
        missing += comb(k, 2) - comb(len(texts), 2)
    return _Likeness(found, missing)


def _values(
    families: Sequence[Sequence[Prompt]], columns: Sequence[Sequence[float]], *, gaps: bool
) -> Values:
    """Return one value per pair: as observed, at the lowest and at the highest."""
    observed, lowest, highest = (np.array(column)[:, None] for column in columns)
    firsts = [family[0] for family in families]
    clusters, number = cluster_indices(firsts)
    return Values(
        observed=observed,
        lowest=lowest if gaps else None,
        highest=highest if gaps else None,
        units=[prompt.pair_id for prompt in firsts],
        clusters=clusters,
        cluster_count=number,
    )
