"""What docstrings and documents cite is in docs/references.md, and nothing else is."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIST = ROOT / "docs" / "references.md"
KEY = re.compile(r"\[([a-z]+\d{4}[a-z]?)\]")
HEADING = re.compile(r"^[ \t]*References[ \t]*\n[ \t]*-+[ \t]*$", re.M)
NEXT_HEADING = re.compile(r"^[ \t]*[A-Z][A-Za-z ]*\n[ \t]*-{3,}[ \t]*$", re.M)
SOURCES = sorted((ROOT / "plrnn_numba").rglob("*.py"))
PAGES = [path for path in sorted((ROOT / "docs").glob("*.md")) if path != LIST] + [ROOT / "README.md"]


def entries():
    """The text of each entry, by its key; a key that is there twice is in the list twice."""
    parts = re.split(r"^- \*\*\[([a-z]+\d{4}[a-z]?)\]\*\*", LIST.read_text(encoding="utf-8"), flags=re.M)
    return list(zip(parts[1::2], parts[2::2]))


def docstrings():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
                yield f"{path.relative_to(ROOT)}: {getattr(node, 'name', 'module')}", ast.get_docstring(node)


def references_sections():
    for where, text in docstrings():
        for heading in HEADING.finditer(text):
            yield where, NEXT_HEADING.split(text[heading.end() :])[0]


def cited():
    return {
        key: str(path.relative_to(ROOT))
        for path in [*SOURCES, *PAGES]
        for key in KEY.findall(path.read_text(encoding="utf-8"))
    }


def test_every_key_that_is_cited_is_in_the_list_once():
    keys = KEY.findall(LIST.read_text(encoding="utf-8"))
    assert {key: where for key, where in cited().items() if keys.count(key) != 1} == {}


def test_every_entry_is_cited_somewhere():
    known = cited()
    assert [key for key, _ in entries() if key not in known] == []


def test_the_list_is_sorted_and_each_entry_whole():
    keys = [key for key, _ in entries()]
    assert keys == sorted(set(keys))
    assert len(keys) > 20
    for key, text in entries():
        assert f"({re.sub('[a-z]', '', key)})" in text, f"{key}: another year"
        assert "](https://" in text or "No DOI." in text, f"{key}: neither a link nor 'No DOI.'"
        assert re.search(r"Used\s+for:\s", text), f"{key}: not said what it is used for"


def test_every_references_section_cites_a_source():
    sections = list(references_sections())
    assert len(sections) > 10
    assert [where for where, text in sections if not KEY.search(text)] == []


def test_every_line_that_names_a_source_cites_one():
    pattern = re.compile(r"^\s*Source: [A-Z].*", re.M)
    lines = [(where, line) for where, text in docstrings() for line in pattern.findall(text)]
    assert len(lines) > 5
    assert [where for where, line in lines if not KEY.search(line)] == []


@pytest.mark.parametrize("text", ["", "See `x`.", "Hess et al. (2023), ICML."])
def test_a_section_without_a_key_is_seen(text):
    docstring = f"Words.\n\nReferences\n----------\n{text}\n\nExamples\n--------\n>>> [hess2023]\n"
    heading = HEADING.search(docstring)
    assert not KEY.search(NEXT_HEADING.split(docstring[heading.end() :])[0])
