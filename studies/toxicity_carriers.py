"""Training sentences of our own that teach the toxicity scorer what is said, not who is named.

Every sentence can be filled with every group, so label and group are independent by construction.
Abusive statements stand beside their contrasts: the same words denied, quoted and condemned,
reported, or said of things. The phenomena (negation, counter-speech, threats, harmless profanity,
idioms) are well known from the literature on hate-speech detection; the wording is ours. The
sentences that measure the identity shift (``probes/calibration``) are others, and what resembles
an evaluation text is dropped by ``toxicity_data.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from toxicity_phrases import (
    BAD_ACTS,
    BAD_ADJECTIVES,
    BAD_NOUNS,
    CRITICAL,
    GOOD_ACTS,
    GOOD_ADJECTIVES,
    GROUPS,
    HATRED,
    KIND,
    NEUTRAL_PLURAL,
    NEUTRAL_SINGULAR,
    RIGHTS,
    VIOLENCE,
)
from toxicity_phrases_personal import (
    CALM_PROFANITY,
    HARMLESS,
    IDIOMS,
    INSULTS,
    PERSONAL,
    POLITE,
    PRAISE,
    REQUESTS,
    SEXUAL,
    THINGS,
    THREATS,
)

OPENERS = (
    "", "", "", "", "", "Honestly, ", "Everyone knows that ", "Let's face it: ", "Sorry, but ",
    "In my opinion ", "Face the facts, ", "Just saying, ", "I keep telling you: ", "Wow, ",
    "My dad always said that ", "It's obvious that ", "tbh ", "lol ", "Fun fact: ", "Listen, ",
    "You all know it, ", "After yesterday I am sure that ", "Nobody dares to say it, but ",
)  # fmt: skip
CLOSERS = (
    ".", ".", ".", "", "!", "!!", " lol", ", period.", " smh", ", and I mean it.", " #truth",
    ", that's a fact.", ". Always have, always will.", " tbh.", " and you know it.", "...",
    " \N{FACE WITH TEARS OF JOY}", " \N{THINKING FACE}", " \N{THUMBS UP SIGN}",
    " \N{FACE WITH ROLLING EYES}",
)  # fmt: skip
STATEMENTS = (
    "{p} are {adj}", "{p} are {noun}", "{p} are nothing but {noun}", "{p} {act}",
    "all {p} are {noun}", "all {p} {act}", "most {p} are {adj}", "every one of those {p} is {adj}",
    "I {hate} {p}", "I {hate} all of those {p}", "{p} are {adj} and {adj2}", "{p} are just {adj}",
    "the {p} {act}", "{p}, they are all {noun}", "these {p} are {adj} {noun}",
)  # fmt: skip
ABUSE = (
    "Why are {p} so {adj}?", "Who else thinks that {p} are {noun}?", "Why do {p} even exist?",
    "Don't you agree that {p} {act}?", "He is {s}, so of course he is {adj}.",
    "New {p} moved in next door. They are {noun}.", "{P}? All {noun}.",
    "{P}... {adj}, all of them.", "You're {s}? Then you are {adj}.",
    "What do you expect from {s}? They are {noun}.",
    "I wouldn't let {s} touch my food, they are {adj}.", "Fuck {p}.", "Screw those {adj} {p}.",
    "Get those {adj} {p} out of here.", "If you are {s}, stay away from me, you {act2}.",
    "You look like {s}, how {adj}.", "{P} are not {good}.", "{P} are not even {good}.",
    "No {p} are {good}.", "{P} will never be {good}.", "There is nothing good about {p}.",
    "I have never met {s} who was {good}.", "{P} don't deserve {right}.", "You can't trust {p}.",
    "It is impossible to respect {p}.", "Nobody wants {p} here.", "{S} is worth less than a dog.",
    "Don't call {p} {good}, they are {noun}.", "Treating {p} as equals is a mistake.",
    "The world would be a better place without {p}.", "Being {s} is a disorder.",
    "We need fewer {p} in this country.", "I don't want my kids near {p}.", "Say no to {p}.",
    "Giving {p} rights was a mistake.", "Imagine being {s}, how {adj}.", "Ban all {p}.",
    "That {adj} boss of mine turned out to be {s}, no surprise.", "As usual, {p} {act}.",
    "I moved because {p} {act}.", "{P} make me want to vomit.", "How I {hate} these {adj} {p}!",
)  # fmt: skip
MENACE = (
    "I will {violence} {p}.", "We should {violence} all {p}.", "Let's {violence} some {p} tonight.",
    "Somebody has to {violence} {p}.", "If I see {p} here again, I'll {violence} them.",
    "{P} should be afraid, we are coming to {violence} them.", "It's time to {violence} the {p}.",
    "I'd love to {violence} {p}.", "One day we will {violence} every last one of the {p}.",
    "I can't wait until they {violence} the {p}.", "{P} will get what is coming to them.",
    "Someone please {violence} {p} already.", "Watch your back, {p}.", "Death to {p}!",
    "I want to {violence} {s}.", "Whoever wants to {violence} {p} has my support.",
    "{P} deserve to die.", "I hope {p} get cancer.", "I hope someone will {violence} the {p}.",
)  # fmt: skip
DENIED = (
    "{P} are not {noun}.", "{P} aren't {adj}.", "I don't {hate} {p}.", "No, {p} are not {adj}.",
    "{P} are not {adj}, {p} {goodact}.", "It is not true that {p} {act}.",
    "I never said I {hate} {p}.", "Nobody should {violence} {p}.", "I would never {violence} {s}.",
    "You must not {violence} {p}.", "Not a single one of the {p} I know is {adj}.",
    "{P} are neither {adj} nor {adj2}.", "I do not think {p} are {noun}.",
    "It's a myth that {p} {act}.", "Nobody here {hates} {p}.",
    "Who says that {p} are {noun}? They are {good}.", "{P} are anything but {adj}.",
    "There's no evidence that {p} {act}.", "I can't imagine why anyone would {hate} {p}.",
    "We don't want anyone to {violence} {p}.", "Why would {p} be {noun}? That's wrong.",
    "To be {s} doesn't make anyone {adj}.", "I used to think that {p} are {adj}. I was wrong.",
)  # fmt: skip
COUNTERED = (
    "Saying that {x} is {bad}.", 'He shouted "{x}" and was thrown out of the stadium.',
    '"{x}" - what a {bad} thing to say.', "People who believe that {x} need to read more books.",
    'My uncle told me "{x}". I told him to be ashamed.', 'The man was fined for writing "{x}".',
    "If you think that {x}, you are no friend of mine.", "Stop telling children that {x}.",
    'Any comment like "{x}" will be removed.', 'She cried when someone yelled "{x}" at her.',
    'The slogan "{x}" was condemned by all parties.', "It is {bad} that some still claim that {x}.",
    'Whoever tweets "{x}" should be banned.', 'You can\'t just say "{x}" and expect no answer.',
    "I reported him because he wrote that {x}.", "Claiming {x} shows how little you know.",
    'The film shows how a mob chanting "{x}" attacks a family.', '"{x}" is hate speech.',
    'They painted "{x}" on the wall, and the neighbours cleaned it off together.',
    "He was sentenced for planning to {violence} {p}.", "Threatening to {violence} {p} is a crime.",
    "The police stopped a man who wanted to {violence} {p}.",
)  # fmt: skip
OF_THINGS = (
    "I {hate} {t}.", "{T} are {adj}.", "{T} {thingact}.", "All {t} should be banned.",
    "{T} are the worst.", "Why are {t} so {adj}?", "I will {destroy} {t}.", "Death to {t}!",
    "{T} are a plague.", "We should get rid of {t}.", "How I {hate} {t}!", "{T} make me sick.",
    "Nobody needs {t}.", "{T} are fucking {adj}.", "I'd love to {destroy} those {t}.",
)  # fmt: skip
THING_ACTS = ("ruin my day", "drive me mad", "cost too much", "are useless", "must go", "stink")
DESTROY = ("destroy", "burn", "throw out", "smash", "kill", "get rid of", "crush")
PICTURES = (
    "\N{WOMAN}\N{WOMAN}", "\N{MAN WITH TURBAN}", "\N{WHEELCHAIR SYMBOL}", "\N{OLDER WOMAN}",
    "\N{MENORAH WITH NINE BRANCHES}", "\N{MOSQUE}", "\N{PERSON WITH HEADSCARF}",
    "\N{WAVING WHITE FLAG}\N{RAINBOW}", "\N{MAN}\N{EMOJI MODIFIER FITZPATRICK TYPE-6}",
    "\N{WOMAN}\N{EMOJI MODIFIER FITZPATRICK TYPE-5}",
    "\N{MAN}\N{EMOJI MODIFIER FITZPATRICK TYPE-1-2}", "\N{CHURCH}", "\N{TWO MEN HOLDING HANDS}",
    "\N{REGIONAL INDICATOR SYMBOL LETTER M}\N{REGIONAL INDICATOR SYMBOL LETTER X}",
    "\N{REGIONAL INDICATOR SYMBOL LETTER I}\N{REGIONAL INDICATOR SYMBOL LETTER N}", "\N{BABY}",
    "\N{DEAF PERSON}",
)  # fmt: skip
CONDEMNED = ("disgusting", "shameful", "awful", "dangerous", "wrong", "stupid", "racist", "cruel")
VERBS = {"am": "is", "have": "has", "can't": "can't", "want": "wants", "feel": "feels"}
SADLY = (
    "{p} \N{NAUSEATED FACE}", "{p} are \N{RAT}", "{p} are \N{PIG FACE}\N{PIG FACE}",
    "\N{HOCHO} all {p}", "{p} \N{PILE OF POO}", "time to \N{PISTOL} {p}", "{p} = \N{MONKEY FACE}",
    "{p} are \N{PILE OF POO} lol", "{p} get \N{FACE WITH OPEN MOUTH VOMITING}",
    "\N{REVERSED HAND WITH MIDDLE FINGER EXTENDED} {p}", "I \N{POUTING FACE} {p}",
    "send {p} back \N{AIRPLANE}", "{p} are \N{BUG}", "\N{BOMB} the {p}",
    "\N{SERIOUS FACE WITH SYMBOLS COVERING MOUTH} {p}", "I want to \N{HOCHO} {p}",
    "{p} belong in the \N{WASTEBASKET}", "{p} make me \N{NAUSEATED FACE}",
    "just {act2} \N{FACE WITH OPEN MOUTH VOMITING} {p}",
    "{p} are {adj} \N{SMILING FACE WITH HEART-SHAPED EYES}", "\N{PISTOL}\N{PISTOL} {p}",
    "{p} \N{THUMBS DOWN SIGN} {adj}", "{p} are {noun} \N{PARTY POPPER}",
)  # fmt: skip
GLADLY = (
    "{p} \N{HEAVY BLACK HEART}", "{p} are \N{FIRE}\N{FIRE}", "I \N{HEAVY BLACK HEART} {p}",
    "proud of our {p} \N{FLEXED BICEPS}", "{p} \N{SMILING FACE WITH SUNGLASSES}",
    "\N{PARTY POPPER} to all {p}", "{p} are {good} \N{SMILING FACE WITH HEART-SHAPED EYES}",
    "{p} are {good} \N{FIRE}", "{p} are \N{SPARKLES} great \N{SPARKLES}",
    "dinner with {p} \N{SLICE OF PIZZA}", "{p} and their \N{DOG FACE}",
    "{p} are my \N{SMILING FACE WITH OPEN MOUTH} neighbours",
    "\N{CLAPPING HANDS SIGN} {p} \N{CLAPPING HANDS SIGN}",
    "{p} laughing \N{FACE WITH TEARS OF JOY}", "{p} are not \N{PILE OF POO}",
    "who said {p} are \N{RAT}? \N{POUTING FACE}", "I do not \N{POUTING FACE} {p}",
    "a \N{RAT} in my kitchen \N{NAUSEATED FACE}", "{p} playing with a toy \N{PISTOL}",
)  # fmt: skip
PICTURED = 0.05
"""How often a group is shown and not named."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """One filled sentence: what it is (``kind``), whether it is abusive, and of which sorts."""

    text: str
    kind: str
    label: int
    identity_attack: int = 0
    insult: int = 0
    threat: int = 0
    sexual: int = 0


Draw = Callable[[tuple[str, ...]], str]


def _fill(pattern: str, draw: Draw, group: tuple[str, str]) -> str:
    """Return the pattern with every slot filled, capitalised."""
    plural, singular = group
    hate = draw(HATRED)
    first, _, rest = hate.partition(" ")
    words = {
        "p": plural, "P": plural, "s": singular, "S": singular, "adj": draw(BAD_ADJECTIVES),
        "adj2": draw(BAD_ADJECTIVES), "noun": draw(BAD_NOUNS), "act": draw(BAD_ACTS),
        "act2": "make me sick", "hate": hate, "violence": draw(VIOLENCE),
        "good": draw(GOOD_ADJECTIVES), "goodact": draw(GOOD_ACTS), "right": draw(RIGHTS),
        "hates": f"{VERBS.get(first, first + 's')} {rest}".strip(), "bad": draw(CONDEMNED),
        "t": draw(THINGS), "thingact": draw(THING_ACTS), "destroy": draw(DESTROY),
    }  # fmt: skip
    words["T"] = words["t"]
    if "{x}" in pattern:
        words["x"] = _fill(draw(STATEMENTS), draw, group)
        words["x"] = words["x"][0].lower() + words["x"][1:] if words["x"][1] != " " else words["x"]
    text = pattern.format_map(words)
    return text[0].upper() + text[1:]


def _dressed(text: str, draw: Draw) -> str:
    """Return a statement with something said before and after it."""
    opener, closer = draw(OPENERS), draw(CLOSERS)
    joined = opener + (text[0].lower() + text[1:] if opener and text[1:2] != " " else text)
    return joined + closer if text[-1] not in ".!?" else joined


def _statement(draw: Draw, group: tuple[str, str]) -> Carrier:
    return Carrier(_dressed(_fill(draw(STATEMENTS), draw, group), draw), "derogation", 1, 1)


def _good_statement(draw: Draw, group: tuple[str, str]) -> Carrier:
    pattern = draw(("{p} are {good}", "{p} {goodact}", "most {p} are {good}", "all {p} {goodact}"))
    return Carrier(_dressed(_fill(pattern, draw, group), draw), "praise", 0)


def _from(patterns: tuple[str, ...], kind: str, **labels: int) -> Callable[..., Carrier]:
    def make(draw: Draw, group: tuple[str, str]) -> Carrier:
        text = _fill(draw(patterns), draw, group)
        if draw(("dress", "leave", "leave")) == "dress":
            text = _dressed(text, draw)
        return Carrier(
            text, kind, labels.get("label", 0), **{k: v for k, v in labels.items() if k != "label"}
        )

    return make


MAKERS: tuple[tuple[int, Callable[..., Carrier]], ...] = (
    (16, _statement),
    (14, _from(ABUSE, "abuse", label=1, identity_attack=1)),
    (8, _from(MENACE, "menace", label=1, identity_attack=1, threat=1)),
    (3, _from(SADLY, "emoji abuse", label=1, identity_attack=1)),
    (10, _from(NEUTRAL_PLURAL, "neutral")),
    (9, _from(NEUTRAL_SINGULAR, "neutral")),
    (7, _from(KIND, "kind")),
    (4, _from(CRITICAL, "critical")),
    (4, _good_statement),
    (11, _from(DENIED, "denied")),
    (12, _from(COUNTERED, "countered")),
    (4, _from(OF_THINGS, "of things")),
    (3, _from(GLADLY, "emoji harmless")),
    (8, _from(PERSONAL, "personal abuse", label=1, insult=1)),
    (4, _from(THREATS, "personal threat", label=1, threat=1)),
    (2, _from(SEXUAL, "harassment", label=1, sexual=1)),
    (3, _from(CALM_PROFANITY, "harmless profanity")),
    (3, _from(IDIOMS, "idiom")),
    (4, _from(POLITE, "polite")),
    (3, _from(REQUESTS, "request")),
    (4, _from(HARMLESS, "harmless")),
)
"""How often each kind is made, in parts, and by what."""


def make_carriers(count: int, rng: np.random.Generator) -> list[Carrier]:
    """Return ``count`` different sentences, groups drawn evenly by axis."""
    axes = list(GROUPS.values())
    parts = np.array([part for part, _ in MAKERS], dtype=float)
    made: dict[str, Carrier] = {}

    def draw(options: tuple[str, ...]) -> str:
        chosen = options[int(rng.integers(len(options)))]
        if "{insult}" in chosen or "{praise}" in chosen:
            chosen = chosen.replace("{insult}", INSULTS[int(rng.integers(len(INSULTS)))])
            chosen = chosen.replace("{praise}", PRAISE[int(rng.integers(len(PRAISE)))])
        return chosen

    for which in rng.choice(len(MAKERS), 4 * count, p=parts / parts.sum()):
        groups = axes[int(rng.integers(len(axes)))]
        group = groups[int(rng.integers(len(groups)))]
        if rng.random() < PICTURED:
            group = (PICTURES[int(rng.integers(len(PICTURES)))],) * 2
        carrier = MAKERS[int(which)][1](draw, group)
        made.setdefault(carrier.text, carrier)
        if len(made) == count:
            break
    return list(made.values())
