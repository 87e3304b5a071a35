"""Recognises slurs without holding them.

The list is one of digests, so that neither this file nor a search of the project shows the words.
It is no secret, since anyone can digest a word and look: it only keeps them out of sight. It is
short, of words that are slurs in every context, in the languages of the shipped sets; a file
that needs one of them declares it under ``slurs``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from llmaudit.probesets.parts import LETTERS, main_language

_LISTED = """
03af338ced71 044eb98b1876 0515b9e67e0e 086bc1cc153a 08a841e99678 0be9b885f4a3 0c38fc998949
0ce875d62007 120f6e5b4ea3 12e6274e4309 158869a97379 16ea09fc78ca 17a110e53328 17bde8b40646
1802d081455e 1e02eec4f109 22fc75e65a0e 237d09a84902 24770985b359 268651b3ece9 27a62b68179c
27eb0c4ad707 2a78bfafdf15 2dab050c671b 3160c321bcd0 333f76180929 33740da8a87d 341d56384afc
3631313617b3 38ba35fc0a47 39d9f82ef853 3b1e0d7c5dd4 3cb6a563b3b2 402f7ebd9886 43508b5c03b8
448b303c89be 457f002f9240 45cd3e1bb472 4761f877ca09 4814058be6f3 4b18aefe826a 4c58f5d5fe92
53d8281d891e 565ed74643e0 5a9f0a1e29ac 5b3ae48be122 5d290e1de343 5e937513c637 63c143c61d70
6780c03b6c8c 6bbc2ac44027 6cfcdedf5407 6d1833779e38 701033ae2641 70e4043b678f 7122c9a14ba2
74d4e4476ad7 774b9e8ed8b2 7ef8ddb05876 82159dd02870 84105992682c 85eaf9757cee 886d51e97ad7
898e3115c031 8f5083e3e5c7 92a9bf818e7e 94a877e2ce63 952582c9ecc0 960cc9ebb439 98980840dd2f
98b52c4b6b7d 9915ba2d8222 9a39a660748c 9d57436661e1 a038e8def861 a1fa799150af a511c0753b12
a6a0dc7b4d09 a7bf072c97a0 ad64e56f214e ad6cacf3af98 b0da39c11451 b368553f5ec0 b3cec2f6ece2
b55ebf0267e0 bb209d506bb8 bb87adf8aa78 bbd1ebc6775b bd331fb1d242 be00f1af522e c1b4ed05397d
c1cabb6f6e43 c3de533e9b7f c5663e82def9 c74677aba35a ca470f9aae43 ca8aca2ceb3c cab4931e837e
cc02032349c8 d067075bc9d8 d072af28198d d0e3cb91d249 d489989cc0ef d5ebe71514c4 da0a6b1b9213
dc50e12f4c7a dc675e448132 e03d80833aad e10c5b19ca9f e51d490d2db8 e742d17ff490 e7b98c6aa5b9
ecef697cb177 eda887476f1d eea2991640d1 eef3bd091670 ef313faac5bf f2ccf21a9dd1 f3cf22cc8c5b
f64c6fad9c3c f9d0d9b18ae9 ffd0f013028d
"""
_DIGESTS = frozenset(_LISTED.split())
#: Those that are ordinary words of another language, such as the French for "delay".
_ORDINARY = {"fr": frozenset({"158869a97379", "c1cabb6f6e43"})}
_WORD = re.compile(LETTERS)
_HAN = re.compile(r"[一-鿿]{2,}")


def find_slurs(text: str, language: str) -> Iterator[str]:
    """Yield each word of a text that is on the list, as it is written there."""
    listed = _DIGESTS - _ORDINARY.get(main_language(language), frozenset())
    for match in _WORD.finditer(text):
        for word in _parts(match.group()):
            if _digest(word) in listed:
                yield word


def _parts(word: str) -> Iterator[str]:
    """Yield a word, or where words are not parted by spaces every two characters of it."""
    yield word
    if _HAN.fullmatch(word):
        yield from (word[place : place + 2] for place in range(len(word) - 1))


def _digest(word: str) -> str:
    return hashlib.sha256(word.casefold().encode("utf-8")).hexdigest()[:12]
