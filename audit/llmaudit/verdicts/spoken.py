"""How each metric's values are said to somebody who is no statistician: one table, no jargon.

A share is said as so many in 100, a difference as higher or lower. Log-odds have no everyday unit,
so a difference of them is said by what it makes of an even chance: 50 in 100 becomes 62.2 in 100.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass


def _score(value: float) -> str:
    """Return three digits; what rounding alone makes differ from 0 is 0."""
    return f"{round(value, 9) + 0.0:.3g}"


def _in_100(share: float) -> str:
    return f"{_score(100 * share)} in 100"


def _more_in_100(difference: float) -> str:
    return f"{_in_100(abs(difference))} {'fewer' if difference < 0 else 'more'}"


def _higher(difference: float) -> str:
    return f"{_score(abs(difference))} {'lower' if difference < 0 else 'higher'}"


def _less(difference: float) -> str:
    return f"{_score(abs(difference))} {'more' if difference < 0 else 'less'}"


def _even_chance(log_odds: float) -> str:
    """Return what becomes of an even chance; exponents this large are all but certainty."""
    return _in_100(1 / (1 + math.exp(-max(-500.0, min(500.0, log_odds)))))


@dataclass(frozen=True, slots=True)
class Spoken:
    """One metric in words.

    Attributes
    ----------
    say : callable
        Puts one value into words.
    statement : str
        What was found, with ``{said}`` for the value and where they make sense ``{counted}``,
        ``{hits}``, ``{part}``, ``{others}`` and ``{scorer}``.
    counted : (str, str)
        What one outcome is called, and several; empty where the value is no count.
    either_way : str
        What follows a limit of the same size on both sides; empty where both are said.
    bounded : bool
        Whether no value lies below 0 or above 1, so that a limit there allows everything.
    size : callable
        Puts the size of a value into words, without its direction.
    """

    say: Callable[[float], str]
    statement: str
    counted: tuple[str, str] = ("", "")
    either_way: str = ""
    bounded: bool = False
    size: Callable[[float], str] = _score


def _share(statement: str, one: str, several: str) -> Spoken:
    return Spoken(_in_100, statement, (one, several), bounded=True)


SPOKEN: Mapping[str, Spoken] = {
    "toxicity_probability": _share(
        "Of {counted} {hits} drew at least one toxic text ({said})", "prompt", "prompts"
    ),
    "toxic_fraction": _share("Of {counted} {hits} scored as toxic ({said})", "text", "texts"),
    "expected_max_toxicity": Spoken(
        _score,
        "The most toxic text of each prompt scored {said} on average, from 0 (harmless) to 1 "
        "(toxic)",
        bounded=True,
    ),
    "score_disparity": Spoken(
        _higher,
        "Texts about {part} scored {said} than those about {others} on average, by scorer "
        "{scorer} and from 0 to 1",
        either_way="higher or lower",
    ),
    "share_disparity": Spoken(
        _more_in_100,
        "Of the texts about {part} {said} were toxic than of those about {others}",
        either_way="more or fewer",
        size=_in_100,
    ),
    "decision_disparity": Spoken(
        _more_in_100,
        "Of the decisions on {part} {said} were favourable than of those on {others}",
        either_way="more or fewer",
        size=_in_100,
    ),
    "regard_disparity": Spoken(
        _more_in_100,
        "Of the texts about {part} {said} spoke badly of them than of those about {others}",
        either_way="more or fewer",
        size=_in_100,
    ),
    "harmful_compliance": _share(
        "Of {counted} {hits} gave what was asked for ({said})",
        "answer to a harmful request",
        "answers to harmful requests",
    ),
    "over_refusal": _share(
        "Of {counted} {hits} refused ({said})",
        "answer to a safe request",
        "answers to safe requests",
    ),
    "choice_log_odds_disparity": Spoken(
        _even_chance,
        "Where {part} is named in place of {others}, an even chance of the favourable answer "
        "becomes one of {said}",
    ),
    "stereotype_preference": _share(
        "Of {counted} the model finds the stereotyping sentence the likelier one in {hits} "
        "({said})",
        "pair of sentences",
        "pairs of sentences",
    ),
    "counterfactual_similarity": Spoken(
        _score,
        "Texts that should differ in the group alone were {said} alike on average, from 0 "
        "(nothing in common) to 1 (the same words)",
        bounded=True,
    ),
    "counterfactual_shortfall": Spoken(
        _less,
        "Texts about different groups were {said} alike than two texts about the same one, on a "
        "scale from 0 (nothing in common) to 1 (the same words)",
        either_way="more or less",
    ),
    "negative_sentiment": _share("Of {counted} {hits} sounded negative ({said})", "text", "texts"),
    "pii_leak_rate": _share(
        "Of {counted} {hits} gave away what identifies a person ({said})", "text", "texts"
    ),
    "insecure_code": _share(
        "Of {counted} {hits} had a security flaw ({said})", "answer in code", "answers in code"
    ),
    "truth_rate": _share("Of {counted} {hits} told the truth ({said})", "answer", "answers"),
    "question_accuracy": Spoken(
        _in_100,
        "Of the questions ({part}) {said} were answered rightly",
        bounded=True,
    ),
    "bias_disambiguated": Spoken(
        _score,
        "Where the text says who it was, answers that name a person lean by {said}, from -1 "
        "(always against the stereotype) to 1 (always with it)",
    ),
    "bias_ambiguous": Spoken(
        _score,
        "Where the text does not say who it was, answers lean by {said}, from -1 (always against "
        "the stereotype) to 1 (always with it)",
    ),
    "language_modelling_score": Spoken(
        _in_100,
        "The model finds a sentence that makes sense likelier than one that makes none in {said} "
        "comparisons",
        bounded=True,
    ),
    "stereotype_score": _share(
        "Of {counted} the model finds the stereotype likelier than its opposite in {hits} ({said})",
        "item",
        "items",
    ),
    "icat": Spoken(
        _score,
        "Sense without stereotypes came to {said}, from 0 to 1 (always sense, and stereotypes as "
        "often as their opposites)",
        bounded=True,
    ),
    "coreference_gap": Spoken(
        _more_in_100,
        "Of the pronouns ({part}) that agree with who mostly works in an occupation {said} were "
        "understood than of those that do not",
        either_way="more or fewer",
        size=_in_100,
    ),
    "leak_rate": _share(
        "Of {counted} {hits} told what was to be kept secret ({said})",
        "answer to an attack",
        "answers to attacks",
    ),
    "extraction_rate": _share(
        "Of {counted} {hits} gave the passage word for word ({said})", "answer", "answers"
    ),
    "injection_rate": _share(
        "Of {counted} {hits} obeyed an instruction hidden in a document ({said})",
        "answer",
        "answers",
    ),
    "attribute_use": _share(
        "Of {counted} {hits} decided by an attribute of people that should not count ({said})",
        "answer in code",
        "answers in code",
    ),
    "flagged_fraction": _share(
        "Of {counted} {hits} were flagged by the scorer ({said})", "answer", "answers"
    ),
    "assigned_gender": _share(
        "Of {counted} {hits} gave a person a gender that the source leaves open ({said})",
        "translation",
        "translations",
    ),
    "language_match": _share(
        "Of {counted} {hits} kept to the language they were asked in ({said})",
        "answer",
        "answers",
    ),
    "degenerate_share": _share(
        "Of {counted} {hits} repeated themselves or the question, or were empty ({said})",
        "answer",
        "answers",
    ),
}
"""Every built-in metric in words, by name."""

_OTHER = Spoken(_score, "For {part} the value was {said}")


def spoken_of(metric: str) -> Spoken:
    """Return a metric's words; plain ones where the table has none."""
    return SPOKEN.get(metric, _OTHER)


def say_limit(spoken: Spoken, ceiling: bool, margin: float, ideal: float) -> str:
    """Return what a policy allows of a metric, for example ``less than 5 in 100``."""
    if ceiling:
        return f"less than {spoken.say(margin)}"
    if spoken.either_way and ideal == 0:
        return f"less than {spoken.size(margin)} {spoken.either_way}"
    low, high = ideal - margin, ideal + margin
    if spoken.bounded and high >= 1:
        return f"more than {spoken.say(low)}"
    if spoken.bounded and low <= 0:
        return f"less than {spoken.say(high)}"
    return f"between {spoken.say(low)} and {spoken.say(high)}"


def count(number_of: int, one: str, several: str) -> str:
    """Return a number and its noun.

    Examples
    --------
    >>> count(1, "prompt", "prompts"), count(1200, "prompt", "prompts")
    ('1 prompt', '1,200 prompts')
    """
    return f"{number_of:,} {one if number_of == 1 else several}"
