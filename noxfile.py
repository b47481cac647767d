"""What a developer runs before a commit, and what CI runs: `nox` for lint, types and tests, `nox -l` for the others.

Each session has an environment of its own, which is kept. `nox --no-venv -s lint` takes the tools from the active
environment and installs nothing, so that one `pip install -e '.[dev]'` serves every session; so does the variable
NOX_DEFAULT_VENV_BACKEND=none. What follows `--` goes to pytest, or to the benchmark.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

import nox

nox.needs_version = ">=2024.4"
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]


def install(session: nox.Session, *requirements: str) -> None:
    """Install into the session's own environment; without one, nox refuses, and the tools are there already."""
    if session.virtualenv.is_sandboxed:
        # setuptools packs what an earlier build left here: a file that is gone from the source would come back.
        shutil.rmtree("build", ignore_errors=True)
        session.install(*requirements)


def of_dev(tool: str) -> str:
    """The requirement of the `dev` extra for a tool, so that its version is stated once."""
    extras = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
    return next(requirement for requirement in extras["dev"] if requirement.startswith(tool))


def first_python(document: Path) -> str:
    """The first Python that a Markdown file shows."""
    found = re.search(r"^```python\n(.*?)^```", document.read_text(encoding="utf-8"), re.S | re.M)
    if found is None:
        raise ValueError(f"{document}: shows no Python")
    return found.group(1)


def dead_links(documents: Iterable[Path]) -> list[str]:
    """Relative links of Markdown files that lead to no file, as ``document: link``."""
    dead = []
    for document in documents:
        text = document.read_text(encoding="utf-8")
        # What looks like a link within code is none.
        text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
        text = re.sub(r"`(?:[^`\n]|\n(?!\n))+`", "", text)
        links = re.findall(r"\]\(([^()\s]+)[^()]*\)", text) + re.findall(r"^\[[^\]]+\]:\s+(\S+)", text, re.M)
        for link in links:
            path = unquote(link.partition("#")[0])
            elsewhere = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path)
            if path and not elsewhere and not (document.parent / path).exists():
                dead.append(f"{document.as_posix()}: {link}")
    return dead


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    install(session, of_dev("ruff"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy over the package."""
    install(session, ".[cli]", of_dev("mypy"))
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """The suite, jitted."""
    install(session, ".[cli,test]")
    session.run("python", "-m", "pytest", "-q", "-n", "auto", *session.posargs)


@nox.session
def unjitted(session: nox.Session) -> None:
    """The same source in plain NumPy, under coverage."""
    install(session, ".[cli,test]")
    plain = {"NUMBA_DISABLE_JIT": "1"}
    session.run("coverage", "run", "-m", "pytest", "-q", *session.posargs, env=plain)
    if not session.posargs:  # a part of the suite covers a part
        session.run("coverage", "report", "--skip-covered", "--fail-under=90")


@nox.session
def doctests(session: nox.Session) -> None:
    """The examples of the docstrings, and the first Python of README.md."""
    install(session, ".[cli,test]")
    session.run("python", "-m", "pytest", "-q", "--doctest-modules", "plrnn_numba", *session.posargs)
    code = first_python(Path("README.md"))
    with tempfile.TemporaryDirectory() as folder:  # the example saves a model where it runs
        script = Path(folder, "readme.py")
        script.write_text(code, encoding="utf-8")
        with session.chdir(folder):
            session.run("python", str(script))


@nox.session
def notebooks(session: nox.Session) -> None:
    """Every notebook from top to bottom; what is in the files stays as it is."""
    install(session, ".[notebooks]")
    session.run("jupyter", "execute", *sorted(map(str, Path("notebooks").glob("*.ipynb"))))


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """Relative links of the documents lead to files."""
    documents = [Path("README.md"), Path("CONTRIBUTING.md"), *sorted(Path("docs").glob("*.md"))]
    dead = dead_links(documents)
    if dead:
        session.error("these links lead nowhere:\n" + "\n".join(dead))


@nox.session
def bench(session: nox.Session) -> None:
    """The comparison, small, without the rivals; they are compared where they are installed, by --no-venv."""
    install(session, ".[cli]")
    session.run("python", "benchmarks/compare.py", *(session.posargs or ["--small"]))
