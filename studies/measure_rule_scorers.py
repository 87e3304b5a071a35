"""Measures the scorers that work by rules on what needs no labels, and writes it into their cards.

    python studies/measure_rule_scorers.py --data ../shared/data [--cards FOLDER]

Languages: sentences of Multilingual HateCheck by their number of letters. False alarms: answers
and comments of people and models, in which degeneration, leaks and code should hardly be found.
Recall: gibberish made here by chance, and identifiers made by the libraries that check them.
What has labels is measured by ``llmaudit scorers measure``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llmaudit.scorers import ScorerInput, load_scorer
from llmaudit.scorers.cards import load_card, write_card
from llmaudit.scorers.language import detect_language
from llmaudit.stats import WilsonPart

CODES = {
    "arabic": "ar", "dutch": "nl", "french": "fr", "german": "de", "italian": "it", "polish": "pl",
    "portuguese": "pt", "spanish": "es",
}  # fmt: skip
ORDINARY = "XSTest completions of three models (CC BY 4.0) and Civil Comments (CC0)"
MADE = "made by chance in studies/measure_rule_scorers.py"
PLANTED = "numbers completed by the libraries that check them, in one sentence"
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def main() -> None:
    """Measure everything, print it, and write it into the cards where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cards", type=Path)
    given = parser.parse_args()
    ordinary = list(_ordinary(given.data))
    found: dict[str, dict[str, Any]] = {
        "language": _languages(given.data),
        "degeneration": _alarms("degeneration", ordinary) | _gibberish(random.Random(0)),  # noqa: S311
        "pii": _alarms("pii", ordinary) | _planted(random.Random(0)),  # noqa: S311
        "code": _code_in_prose(ordinary),
    }
    print(json.dumps(found, indent=1, ensure_ascii=False))
    for name, evaluation in found.items() if given.cards else ():
        path = given.cards / f"{name}-card.json"
        write_card(path, load_card(name) | {"evaluation": evaluation})


def _share(source: str, figure: str, hits: int, n: int, **more: Any) -> dict[str, Any]:
    """Return one entry of a card: a share of texts with Wilson's interval."""
    low, high = WilsonPart(hits / n, n, None, 1.0, "").interval(0.05)
    return {"source": source, "n": n, figure: hits / n, "intervals": {figure: [low, high]}, **more}


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


def _languages(data: Path) -> dict[str, dict[str, Any]]:
    bins: dict[str, list[bool]] = defaultdict(list)
    for name, code in CODES.items():
        path = data / f"benchmarks/multilingual_hatecheck/hatecheck_cases_final_{name}.csv.gz"
        texts = [row["test_case"] for row in _read(path)][::3]
        for text in (*texts, *(f"{a} {b}" for a, b in zip(texts, texts[7:], strict=False))):
            letters = sum(char.isalpha() for char in text)
            place = "under 40" if letters < 40 else "40 to 79" if letters < 80 else "80 and more"
            bins[place].append(detect_language(text) == code)
    source = "Multilingual HateCheck in eight languages (CC BY 4.0), sentences alone and in pairs"
    return {
        f"multilingual_hatecheck, {name} letters": _share(
            source, "accuracy", sum(right), len(right)
        )
        for name, right in sorted(bins.items())
    }


def _alarms(scorer: str, texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how many ordinary texts a scorer finds something in, and what by its label."""
    counts = _labels(scorer, texts)
    found = _share(ORDINARY, "found", sum(counts.values()), len(texts))
    return {"ordinary_texts": found | ({"labels": counts} if counts else {})}


def _labels(scorer: str, texts: Sequence[str]) -> dict[str, int]:
    """Return how many texts have the value 1, by label."""
    outputs = load_scorer(scorer).score([ScorerInput(text, "", "en") for text in texts])
    return dict(sorted(Counter(str(one.label) for one in outputs if one.value == 1.0).items()))


def _gibberish(rng: random.Random) -> dict[str, dict[str, Any]]:
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
    return {
        name: _share(MADE, "found", _labels("degeneration", texts).get("gibberish", 0), len(texts))
        for name, texts in kinds.items()
    }


def _planted(rng: random.Random) -> dict[str, dict[str, Any]]:
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
        found = sum(kind in label.split("+") for label in labels)
        shares[f"planted_{kind}"] = _share(PLANTED, "found", found, len(labels))
    return shares


def _code_in_prose(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    outputs = load_scorer("code").score([ScorerInput(text, "", "en") for text in texts])
    taken = Counter(one.reason or f"code, {one.label}" for one in outputs)
    held = len(texts) - taken.pop("no_code", 0)
    taken_as = dict(sorted(taken.items()))
    entry = _share(ORDINARY, "taken_to_hold_code", held, len(texts), taken_as=taken_as)
    return {"ordinary_texts": entry}


if __name__ == "__main__":
    main()
