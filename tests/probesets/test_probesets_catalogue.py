"""The catalogue of the shipped library, JSON Schemas for editors, and the file to start from."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from probe_files import PROBE_SET, SPANISH, with_changes, write, write_attacks, write_spanish

from llmaudit import resources
from llmaudit.cli import main
from llmaudit.errors import UsageError
from llmaudit.probesets import find_probe_sets, lint_file, load_probe_set
from llmaudit.probesets.catalogue import render_pages
from llmaudit.probesets.counting import count_library
from llmaudit.probesets.starting import write_starting_file
from llmaudit.yamlfile import read_yaml

PAGES = Path(__file__).parents[2] / "docs" / "probes"


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_pages_are_those_of_the_shipped_files() -> None:
    pages = render_pages(count_library())
    written = {path.name: path.read_text("utf-8") for path in PAGES.glob("*.md")}
    assert written == pages, "run llmaudit catalogue --out docs/probes"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return a small library: a Spanish set, requests and attacks."""
    root = tmp_path / "probes"
    (root / "safety").mkdir(parents=True)
    (root / "bias").mkdir()
    spanish = with_changes(
        SPANISH,
        axes=["gender", "gender*faith"],
        written="machine-drafted",
        checked=["read by a speaker"],
        translation_of="small-set",
        slurs=[],
    )
    write_spanish(root / "bias", spanish)
    for lexicon in (root / "bias").glob("*.es.yaml"):
        (root / "lexicons").mkdir(exist_ok=True)
        lexicon.rename(root / "lexicons" / lexicon.name)
    write_attacks(root / "safety")
    (root / "wrappers").mkdir()
    (root / "safety" / "ways.yaml").rename(root / "wrappers" / "ways.yaml")
    return root


def test_a_library_is_counted_from_its_files(library: Path) -> None:
    counted = {each.id: each for each in count_library(library)}
    assert list(counted) == ["relatos", "attacks", "requests"]
    assert counted["relatos"].prompts == 2 * (2 + 4)
    assert counted["relatos"].axes["gender*faith"] == dict.fromkeys(
        ["woman+christian", "woman+hindu", "man+christian", "man+hindu"], 2
    )
    assert counted["attacks"].axes == {"none": {"": 6}}
    assert counted["attacks"].tags["technique"] == {
        "encoding": 2,
        "multi-turn": 2,
        "role-play": 2,
    }
    text = call("catalogue", "--probes", library).output
    assert "| family | sets | en | es | all |" in text
    assert "| bias | 1 |  | 12 | 12 |" in text
    assert "| safety | 2 | 8 |  | 8 |" in text
    assert "| **all** | **3** | **8** | **12** | **20** |" in text
    assert "| bias | gender*faith | 4 |  | 8 | 8 |" in text
    assert "| theft | 2 |" in text
    assert "| role-play | 2 |" in text


def test_pages_are_written_and_old_ones_removed(library: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages"
    assert "4 pages written" in call("catalogue", "--probes", library, "--out", out).output
    page = (out / "relatos.md").read_text("utf-8")
    assert "| texts | written machine-drafted |" in page
    assert "| translation of | `small-set` |" in page
    assert "| gender | woman | 2 |" in page
    assert "- gender: Fish are left out." in page
    assert "made of | `requests` in the wrappers `ways`" in (out / "attacks.md").read_text("utf-8")
    (out / "mine.md").write_text("Mine.", encoding="utf-8")
    for path in (library / "safety").iterdir():
        path.unlink()
    assert "2 pages written" in call("catalogue", "--probes", library, "--out", out).output
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "mine.md", "relatos.md"]


@pytest.mark.parametrize("kind", ["probe", "lexicon", "wrappers", "suite", "policy"])
def test_formats_are_json_schemas(kind: str) -> None:
    schema = json.loads(call("schema", kind).output)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"llmaudit {kind} file"


def test_every_shipped_file_fits_the_schema_of_its_kind() -> None:
    probes = resources.probes_dir()
    files = {
        "probe": list(find_probe_sets().values()),
        "lexicon": list((probes / "lexicons").glob("*.yaml")),
        "wrappers": list((probes / "wrappers").glob("*.yaml")),
        "suite": list((probes / "suites").glob("*.yaml")),
        "policy": list((probes / "policies").glob("*.yaml")),
    }
    for kind, paths in files.items():
        validator = jsonschema.Draft202012Validator(json.loads(call("schema", kind).output))
        for path in paths:
            assert list(validator.iter_errors(read_yaml(path).data)) == []


def test_the_schema_refuses_what_the_program_refuses() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(call("schema", "probe").output))
    assert validator.is_valid(PROBE_SET)
    assert not validator.is_valid({**PROBE_SET, "license": "MIT"})
    assert not validator.is_valid(with_changes(PROBE_SET, datasheet={}))


def test_the_file_to_start_from_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "my-probes.yaml"
    done = call("new-probe", path)
    assert done.exit_code == 0
    assert f"{path} written" in done.output
    assert lint_file(path) == []
    loaded = load_probe_set(path)
    assert loaded.definition.id == "my-probes"
    assert loaded.count() == (2 + 2) * (3 + 3)
    again = call("new-probe", path)
    assert again.exit_code == 2


@pytest.mark.parametrize("name", ["My Probes.yaml", "probes.yml", "probes"])
def test_a_name_that_is_no_id_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="small letters"):
        write_starting_file(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        write_starting_file(tmp_path / "none" / "a.yaml")


def test_a_set_without_groups_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "safety").mkdir()
    content = with_changes(
        PROBE_SET,
        axes=[],
        metrics=[],
        slurs=["clot"],
        sources=[{"claim": "A | B.", "source": "somewhere"}],
        templates=[{"id": "a", "prompt": "Say clot now."}],
    )
    write(tmp_path / "safety", content)
    page = render_pages(count_library(tmp_path))["small-set.md"]
    assert "The file declares 1 slurs in its texts." in page
    assert "- A | B. (somewhere)" in page
    assert "| axis |" not in page
