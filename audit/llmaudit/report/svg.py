"""Makes matplotlib's SVG fit to stand inside a page that forbids inline styles.

A content security policy without ``unsafe-inline`` ignores ``style`` attributes, so they become
presentation attributes, which a style sheet can also override (dark mode does). Ids get a prefix,
because several figures stand in one page.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping

_SVG = "http://www.w3.org/2000/svg"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
_DROPPED = {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}
_FONT_SIZE = re.compile(r"([0-9.]+)px")
_LOCAL = re.compile(r"url\(#([^)]+)\)")
_REFERENCE_KEYS = ("clip-path", "href")


def embeddable(drawing: bytes, key: str, label: str, texts: Mapping[str, str]) -> str:
    """Return ``drawing`` as an ``<svg>`` element for an HTML page.

    Parameters
    ----------
    drawing : bytes
        A whole SVG file as matplotlib writes it.
    key : str
        Prefix of every id, unique in the page.
    label : str
        What the figure shows, for people who do not see it.
    texts : mapping of str to str
        Placeholder to the text that stands in its place; it is escaped here.
    """
    root = ElementTree.fromstring(drawing)  # noqa: S314 - written by matplotlib just now
    _drop(root)
    used = _references(root)
    for element in root.iter():
        _clean(element, key, used)
        text = (element.text or "").strip()
        if text in texts:
            element.text = texts[text]
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"role": "img", "aria-label": label, "class": "figure"}
    root.attrib |= {"stroke-linejoin": "round", "stroke-linecap": "butt"}
    return ElementTree.tostring(root, encoding="unicode")


def _drop(parent: ElementTree.Element) -> None:
    for child in list(parent):
        if child.tag in _DROPPED:
            parent.remove(child)
        else:
            _drop(child)


def _references(root: ElementTree.Element) -> set[str]:
    found = {element.get(_XLINK_HREF, "").removeprefix("#") for element in root.iter()}
    for element in root.iter():
        found.update(_LOCAL.findall(element.get("clip-path", "")))
    return found - {""}


def _clean(element: ElementTree.Element, key: str, used: set[str]) -> None:
    """Turn style into attributes, keep only ids that are used, and drop the name spaces."""
    element.tag = element.tag.rpartition("}")[2]
    if _XLINK_HREF in element.attrib:
        element.set("href", element.attrib.pop(_XLINK_HREF))
    for name, value in _declarations(element.attrib.pop("style", "")):
        element.set(name, value)
    own = element.attrib.pop("id", None)
    if own in used:
        element.set("id", f"{key}-{own}")
    for name in _REFERENCE_KEYS:
        if name in element.attrib:
            value = _LOCAL.sub(rf"url(#{key}-\1)", element.attrib[name])
            element.set(name, f"#{key}-{value[1:]}" if value.startswith("#") else value)


def _declarations(style: str) -> list[tuple[str, str]]:
    pairs = []
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name in ("font", "font-size"):
            size = _FONT_SIZE.search(value)
            pairs.append(("font-size", size[1] if size else "12"))
        elif name and not name.startswith("font-"):
            pairs.append((name, value))
    return pairs
