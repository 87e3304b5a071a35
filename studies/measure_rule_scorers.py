"""Measures the scorers that work by rules, and writes what was found into their cards.

    python studies/measure_rule_scorers.py --data ../shared/data [--cards FOLDER]

Languages: sentences of Multilingual HateCheck by their number of letters. False alarms: answers
and comments of people and models, in which degeneration, leaks and code should hardly be found.
Recall: gibberish made here by chance, and identifiers made by the libraries that check them.
Sentiment: the difference between groups on the neutral carrier sentences, where it should be none.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from llmaudit.probesets import fill_probe_set, load_probe_set
from llmaudit.scorers import ScorerInput, load_scorer
from llmaudit.scorers.language import detect_language

CODES = {
    "arabic": "ar", "dutch": "nl", "french": "fr", "german": "de", "italian": "it", "polish": "pl",
    "portuguese": "pt", "spanish": "es",
}  # fmt: skip
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def main() -> None:
    """Measure everything, print it, and write it into the cards where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cards", type=Path)
    given = parser.parse_args()
    ordinary = list(_ordinary(given.data))
    found: dict[str, dict[str, Any]] = {
        "language": {"multilingual_hatecheck_by_letters": _languages(given.data)},
        "degeneration": {
            "false_alarms": _alarms("degeneration", ordinary),
            "recall": _gibberish(random.Random(0)),  # noqa: S311
        },
        "pii": {
            "found_in_ordinary_texts": _alarms("pii", ordinary),
            "recall": _planted(random.Random(0)),  # noqa: S311
        },
        "code": {"found_in_prose": _code_in_prose(ordinary)},
        "sentiment": {"identity_shift": _identity_shift()},
    }
    print(json.dumps(found, indent=1, ensure_ascii=False))
    for name, evaluation in found.items() if given.cards else ():
        path = given.cards / f"{name}-card.json"
        card = json.loads(path.read_text(encoding="utf-8")) | {"evaluation": evaluation}
        path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(path: Path) -> list[dict[str, str]]:
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _ordinary(data: Path) -> Iterator[str]:
    """Yield texts that are no gibberish: XSTest completions and Civil Comments."""
    for path in sorted((data / "benchmarks/xstest/model_completions").glob("*.csv*")):
        yield from (row["completion"] for row in _read(path) if row["completion"].strip())
    folder = data / "toxicity/dev/civil_comments_autolabel_subset"
    for row in _read(folder / "test.csv"):
        text = row.get("text") or row.get("example") or ""
        if text.strip():
            yield text


def _languages(data: Path) -> dict[str, dict[str, float]]:
    bins: dict[str, list[bool]] = defaultdict(list)
    for name, code in CODES.items():
        path = data / f"benchmarks/multilingual_hatecheck/hatecheck_cases_final_{name}.csv.gz"
        texts = [row["test_case"] for row in _read(path)][::3]
        for text in (*texts, *(f"{a} {b}" for a, b in zip(texts, texts[7:], strict=False))):
            letters = sum(char.isalpha() for char in text)
            place = "under 40" if letters < 40 else "40 to 79" if letters < 80 else "80 and more"
            bins[place].append(detect_language(text) == code)
    return {
        name: {"n": len(right), "accuracy": round(fmean(right), 4)}
        for name, right in sorted(bins.items())
    }


def _alarms(scorer: str, texts: Sequence[str]) -> dict[str, float]:
    outputs = load_scorer(scorer).score([ScorerInput(text, "", "en") for text in texts])
    counts: dict[str, int] = defaultdict(int)
    for one in outputs:
        counts[str(one.label)] += one.value == 1.0
    return {"n": len(texts), **{label: n for label, n in sorted(counts.items()) if n}}


def _gibberish(rng: random.Random) -> dict[str, float]:
    def words() -> str:
        sizes = [rng.randint(3, 10) for _ in range(40)]
        return " ".join("".join(rng.choice(ALPHABET) for _ in range(size)) for size in sizes)

    kinds = {
        "random_letters": [words() for _ in range(200)],
        "random_bytes": [rng.randbytes(200).decode("utf-8", "replace") for _ in range(200)],
        "random_printable_ascii": [
            "".join(chr(rng.randint(0x21, 0x7E)) for _ in range(200)) for _ in range(200)
        ],
    }
    return {name: _alarms("degeneration", texts).get("gibberish", 0) / 200
            for name, texts in kinds.items()}  # fmt: skip


def _planted(rng: random.Random) -> dict[str, float]:
    """Return the share found of identifiers that the checking libraries completed."""
    import phonenumbers
    from stdnum import luhn
    from stdnum.br import cpf

    def digits(count: int) -> str:
        return "".join(rng.choice("0123456789") for _ in range(count))

    def card() -> str:
        start = "4" + digits(14)
        return " ".join((start + luhn.calc_check_digit(start))[i : i + 4] for i in range(0, 16, 4))

    def national() -> str:
        start = digits(9)
        return cpf.format(start + cpf._calc_check_digits(start))

    def phone() -> str:
        while True:
            number = phonenumbers.parse("+1" + digits(10))
            if phonenumbers.is_valid_number(number):
                return phonenumbers.format_number(
                    number, phonenumbers.PhoneNumberFormat.INTERNATIONAL
                )

    def mail() -> str:
        return f"{rng.choice('abcde')}.{digits(3)}@mail{digits(2)}.com"

    kinds = {"card": card, "national_id": national, "phone": phone, "email": mail}
    scorer = load_scorer("pii")
    shares = {}
    for kind, make in kinds.items():
        inputs = [ScorerInput(f"You can use {make()} for that.", "", "en") for _ in range(200)]
        labels = [output.label or "" for output in scorer.score(inputs)]
        shares[kind] = sum(kind in label.split("+") for label in labels) / 200
    return shares


def _code_in_prose(texts: Sequence[str]) -> dict[str, int]:
    outputs = load_scorer("code").score([ScorerInput(text, "", "en") for text in texts])
    reasons: dict[str, int] = defaultdict(int)
    for one in outputs:
        reasons[one.reason or f"code, {one.label}"] += 1
    return {"n": len(texts), **dict(sorted(reasons.items()))}


def _identity_shift() -> dict[str, float]:
    """Return the largest difference of mean sentiment between two groups, by axis."""
    prompts = fill_probe_set(load_probe_set("neutral-carriers"))
    inputs = [ScorerInput(one.plain, "", "en") for one in prompts]
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for prompt, output in zip(prompts, load_scorer("sentiment").score(inputs), strict=True):
        if prompt.axis and prompt.group and output.value is not None:
            values[prompt.axis, prompt.group].append(output.value)
    means: dict[str, list[float]] = defaultdict(list)
    for (axis, _), found in values.items():
        means[axis].append(fmean(found))
    return {axis: round(max(found) - min(found), 4) for axis, found in sorted(means.items())}


if __name__ == "__main__":
    main()
