"""What lint says of words: group terms, slurs, languages, lengths, articles, contractions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from probe_files import (
    CARRIER,
    LEXICON,
    NAMES_ES,
    PROBE_SET,
    REQUESTS,
    SPANISH,
    TERMS_ES,
    WRAPPERS,
    with_changes,
    with_template,
    write,
    write_both,
    write_spanish,
)

from llmaudit.probesets import lint_file
from llmaudit.probesets.grammar import find_article_faults
from llmaudit.probesets.languages import lint_language
from llmaudit.probesets.readability import lix, longest_sentence
from llmaudit.probesets.slurs import find_slurs
from llmaudit.probesets.wording import find_wording_faults

T = with_template
N = "{identity.noun_a}"


def found_in(path: Path) -> list[str]:
    return [f"{each.key}: {each.problem}" for each in lint_file(path)]


TERMS: list[tuple[dict[str, Any], str]] = [
    (T(PROBE_SET, prompt=f"Describe {N} and a Dog."), "templates[0].prompt: says 'dog', a word"),
    (T(PROBE_SET, prompt="The cats sat there.", axes=[]), "says 'cats', a word for group 'cat'"),
    (
        T(PROBE_SET, prompt=f"{N} {{a}} there.", slots={"a": ["sat", "saw an owl"]}),
        "templates[0].slots.a[1]: says 'owl', a word for group 'owl'",
    ),
]


@pytest.mark.parametrize(("content", "said"), TERMS)
def test_words_for_a_group_beside_the_slot(
    tmp_path: Path, content: dict[str, Any], said: str
) -> None:
    assert any(said in each for each in found_in(write_both(tmp_path, content)))


def test_words_within_words_name_no_group(tmp_path: Path) -> None:
    content = T(PROBE_SET, prompt=f"{{Identity.noun_a}} and the dogma of a catalogue: {N}.")
    assert found_in(write_both(tmp_path, content)) == []


def test_a_neutral_group_names_no_group(tmp_path: Path) -> None:
    forms = {"noun": "animal", "noun_a": "an animal", "plural": "animals, not cats"}
    neutral = {"id": "unmarked", "label": "no group", "neutral": True, "forms": forms}
    path = write(tmp_path, with_changes(LEXICON, groups=[*LEXICON["groups"], neutral]))
    assert found_in(path) == [
        "groups[3].forms.plural: the neutral group says 'cats', a word for 'cat'"
    ]


def test_slurs_are_declared_and_used(tmp_path: Path) -> None:
    slur = "".join(chr(byte - 3) for byte in b"udjkhdg")
    assert list(find_slurs("nothing here, not even a spade", "en")) == []
    assert list(find_slurs(f"one {slur.capitalize()}s here", "en")) == [f"{slur.capitalize()}s"]
    assert list(find_slurs(f"他说{HAN}。", "zh")) == [HAN]
    delay = "".join(chr(byte - 3) for byte in b"uhwdug")
    assert list(find_slurs(f"Le train a du {delay}.", "fr-CA")) == []
    assert list(find_slurs(f"Le train a du {delay}.", "en")) == [delay]
    content = T(REQUESTS, prompt=f"Say {slur}s to {N}.".replace(N, "me"))
    (problem,) = found_in(write(tmp_path, content))
    assert problem == f"templates[0].prompt: the slur '{slur}s' is not declared"
    assert found_in(write(tmp_path, with_changes(content, slurs=[f"{slur}s"]))) == []
    (problem,) = found_in(write(tmp_path, with_changes(content, slurs=[f"{slur}s", "other"])))
    assert problem == "slurs[1]: 'other' is declared and not used"


HAN = "\u9ed1\u9b3c"


def test_texts_in_another_language_are_found(tmp_path: Path) -> None:
    german = (
        "Beschreibe bitte ausführlich, wie ein ganz gewöhnlicher Arbeitstag in einer kleinen "
        "Bäckerei am Rande der Stadt aussieht und wer dort arbeitet."
    )
    (first, second) = found_in(write(tmp_path, T(REQUESTS, prompt=german)))
    assert first == "templates[0]: is in de, not in en"
    assert second == "language: the texts are in de, not in en"
    content = with_changes(T(REQUESTS, prompt=german), other_languages=["de"])
    assert found_in(write(tmp_path, content)) == []
    assert found_in(write(tmp_path, T(REQUESTS, prompt=f"Explain:\n```\n{german}\n```"))) == []


def test_languages_that_cannot_be_told_are_left_alone() -> None:
    text = "Kaixo, zer moduz zaude gaur? Egun on guztioi eta ongi etorri gure etxera, lagunak."
    assert list(lint_language({(): text}, "qaa", ())) == []
    assert list(lint_language({(): "Short."}, "es", ())) == []
    chinese = "请描述一下你在面包店里的普通的一天的工作情况。"
    (fault, whole) = lint_language({("a",): chinese}, "en", ())
    assert fault[1] == "is in zh, not in en"
    assert whole[0] == ("language",)


def test_wrappers_are_in_their_language(tmp_path: Path) -> None:
    found = found_in(write(tmp_path, with_changes(WRAPPERS, language="fr")))
    assert "wrappers: is in en, not in fr" in found


def test_lengths_and_sentences() -> None:
    assert longest_sentence("One two three. Four! Five six", "en") == 3
    assert longest_sentence("我们走吧。好", "zh") == 2
    assert longest_sentence("छोटा वाक्य हिंदी। अब", "hi") == 3
    assert longest_sentence("تقدّمت المرأة", "ar") == 2
    assert longest_sentence("Hi ```a b c d e f``` you", "en") == 2
    assert lix("The cat sat. The elephant waited.") == pytest.approx(3 + 100 / 6)
    assert lix("```code```") is None


def test_texts_that_nobody_would_send(tmp_path: Path) -> None:
    long = " ".join(["word"] * 91)
    assert "a sentence of 91 words" in found_in(write(tmp_path, T(REQUESTS, prompt=long)))[0]
    huge = "It is a word. " * 600 + "End."
    assert "8404 characters" in found_in(write(tmp_path, T(REQUESTS, prompt=huge)))[0]
    hard = "Unquestionably incomprehensible administrative recommendations notwithstanding."
    assert found_in(write(tmp_path, T(REQUESTS, prompt=hard))) == []
    (problem,) = found_in(write(tmp_path, T(REQUESTS, prompt=" ".join([hard] * 40))))
    assert "readability index (LIX) of the set is 105" in problem


def test_carriers_and_choices_are_read_too(tmp_path: Path) -> None:
    long = " ".join(["word"] * 91)
    path = write_both(tmp_path, T(CARRIER, plain=f"{{Identity.noun_a}} {long}"))
    assert any("a sentence of 93 words" in each for each in found_in(path))


@pytest.mark.parametrize(
    ("text", "noun", "agreement", "language", "said"),
    [
        ("Vi a un mujer.", "mujer", "f", "es", ["'un mujer': the group's agreement is f"]),
        ("La mujer y una mujer", "mujer", "f", "es", []),
        ("Un ama de casa", "ama de casa", "f", "es", []),
        ("La hombre", "hombre", "m", "es", ["'La hombre': the group's agreement is m"]),
        ("eine Mann", "Mann", "m", "de", ["'eine Mann': the group's agreement is m"]),
        ("einem Kind", "Kind", "n", "de", []),
        ("um mulher", "mulher", "f", "pt", ["'um mulher': the group's agreement is f"]),
        ("a woman", "woman", "f", "en", []),
        ("un mujer", "mujer", None, "es", []),
    ],
)
def test_articles(text: str, noun: str, agreement: str, language: str, said: list[str]) -> None:
    assert list(find_article_faults(text, noun, agreement, language)) == said


def test_articles_are_checked_where_they_are_filled_in(tmp_path: Path) -> None:
    path = write_spanish(tmp_path, T(SPANISH, prompt="Describe a un {identity.noun} de aquí."))
    assert found_in(path) == ["templates[0]: 'un mujer': the group's agreement is f"]
    first, second = TERMS_ES["groups"]
    wrong = {**first, "forms": {**first["forms"], "noun_a": "un mujer"}}
    lexicon = write(tmp_path, with_changes(TERMS_ES, groups=[wrong, second]))
    assert found_in(lexicon) == ["groups[0].forms: noun_a: 'un mujer': the group's agreement is f"]
    assert found_in(write(tmp_path, NAMES_ES)) == []


@pytest.mark.parametrize(
    ("language", "text", "wrong"),
    [
        ("es", "El trabajo de el hombre", True),
        ("es", "Viene de El Salvador", False),
        ("es", "una mujer y indígena", True),
        ("es", "agua y hielo", False),
        ("es", "siete o ocho", True),
        ("fr", "le travail de une femme", True),
        ("fr", "parler à les voisins", True),
        ("fr", "dis-le à Paul, de la part de Léa", False),
        ("fr", "je ai vu", True),
        ("pt-BR", "o trabalho de a mulher", True),
        ("pt", "vou a a casa", True),
        ("pt", "o trabalho da mulher", False),
        ("zh", "我 是 谁", True),
        ("zh", "用 Python 写", False),
    ],
)
def test_contractions_and_spaces(language: str, text: str, wrong: bool) -> None:
    assert bool(list(find_wording_faults(text, language))) == wrong
