"""The rooms of the package and the imports between them, read from the sources (nothing is imported or run).

    python tests/rooms.py                     # this checkout
    python tests/rooms.py path/to/plrnn_numba # another one's package

prints the files in the top folder, the floors (a file stands one above the highest that it imports), the imports that
run upwards in the table of CONTRIBUTING.md, circles, and the ten longest functions.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What the core never does: read or write files, print, or know that there is a configuration.
CORE = ("analysis/", "measures/", "bptt.py", "initialize.py", "model.py", "dynamics.py", "source.py")
CORE += ("forcings/", "observations/", "models/", "engine/", "basics/")
OUTSIDE = {"argparse", "csv", "io", "json", "logging", "pathlib", "pickle", "shutil", "tempfile", "tomllib"}
# The kernel cache is a folder of files: its one module may.
MAY_TOUCH_FILES = {"engine/cache.py"}


def sources(package: Path) -> dict[str, ast.Module]:
    """Every source file of a package, by its path in it."""
    return {
        str(path.relative_to(package)): ast.parse(path.read_text(), str(path))
        for path in sorted(package.rglob("*.py"))
    }


def imports(package: Path) -> dict[str, set[str]]:
    """The files of the package that each file imports, inside functions and for type checkers too."""
    trees = sources(package)

    def file_of(parts: list[str]) -> str | None:
        for path in ("/".join(parts) + ".py", "/".join([*parts, "__init__.py"])):
            if path in trees:
                return path
        return None

    def exports(folder: list[str]) -> dict[str, str]:
        """Which file each name comes from that a folder's `__init__.py` gathers."""
        tree = trees.get("/".join([*folder, "__init__.py"]))
        found = {}
        for node in tree.body if tree and folder else ():
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
                file = file_of([*folder, *node.module.split(".")])
                found |= {alias.asname or alias.name: file for alias in node.names if file}
        return found

    found: dict[str, set[str]] = {}
    for name, tree in trees.items():
        here = list(Path(name).parent.parts)
        targets: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules = [a.name.split(".") for a in node.names]
                modules = [m[1:] for m in modules if m[0] == package.name]
                targets |= {f for m in modules if (f := file_of(m))}
            elif isinstance(node, ast.ImportFrom):
                module = node.module.split(".") if node.module else []
                if node.level:
                    base = here[: len(here) - node.level + 1] + module
                elif module[:1] == [package.name]:
                    base = module[1:]
                else:
                    continue
                for alias in node.names:  # a name may be a module of a folder
                    own = Path(name).name == "__init__.py" and base == here
                    gathered = None if own else exports(base).get(alias.name)
                    file = gathered or file_of([*base, alias.name]) or file_of(base)
                    if file:
                        targets.add(file)
        found[name] = targets - {name}
    return found


def rooms_of_the_guide(text: str | None = None) -> list[str]:
    """The rooms in the order of CONTRIBUTING.md's table, the top one first."""
    text = (ROOT / "CONTRIBUTING.md").read_text() if text is None else text
    table = re.search(r"\| room \|.*?\n\| --- .*?\n(.*?)\n\n", text, re.S)
    assert table is not None, "CONTRIBUTING.md has no table of rooms"
    first_cells = [line.split("|")[1] for line in table.group(1).splitlines()]
    return [name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)]


def room_of(file: str, rooms: list[str]) -> str | None:
    """The room that a file lies in."""
    return next(
        (room for room in rooms if file == room or (room.endswith("/") and file.startswith(room))), None
    )


def upward(graph: dict[str, set[str]], rooms: list[str]) -> list[str]:
    """The imports from a room to one that stands above it."""
    rank = {room: i for i, room in enumerate(rooms)}
    wrong = []
    for file, targets in graph.items():
        for target in sorted(targets):
            here, there = room_of(file, rooms), room_of(target, rooms)
            if here and there and rank[there] < rank[here]:
                wrong.append(f"{file} -> {target}")
    return wrong


def without_gatherers(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the `__init__.py` of folders: they stand for the files that they gather."""
    return {
        file: {t for t in targets if not t.endswith("__init__.py")}
        for file, targets in graph.items()
        if not file.endswith("__init__.py")
    }


def floors(graph: dict[str, set[str]]) -> dict[str, int]:
    """How high each file stands: one above the highest that it imports; a circle counts as one floor."""
    height: dict[str, int] = {}

    def climb(file: str, below: tuple[str, ...]) -> int:
        if file not in height:
            if file in below:
                return 0
            height[file] = 1 + max((climb(t, (*below, file)) for t in graph.get(file, ())), default=0)
        return height[file]

    for file in graph:
        climb(file, ())
    return height


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Files that import each other, in circles."""
    found: list[list[str]] = []

    def walk(path: list[str]) -> None:
        for target in graph.get(path[-1], ()):
            if target in path:
                circle = path[path.index(target) :]
                if min(circle) == circle[0] and circle not in found:
                    found.append(circle)
            elif len(path) < 40 and target > path[0]:
                walk([*path, target])

    for file in sorted(graph):
        walk([file])
    return found


def touches(package: Path) -> list[str]:
    """What the core does and must not: imports for files, printing, opening."""
    wrong = []
    for file, tree in sources(package).items():
        if room_of(file, list(CORE)) is None or file in MAY_TOUCH_FILES:
            continue
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [a.name.split(".")[0] for a in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module.split(".")[0]]
            wrong += [f"{file}: import {name}" for name in names if name in OUTSIDE]
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("print", "open")
            ):
                wrong.append(f"{file}: {node.func.id}()")
    return wrong


def longest_functions(package: Path, n: int = 10) -> list[tuple[int, str]]:
    """Lines of code, without docstrings, and names."""
    found = []
    for file, tree in sources(package).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                body = node.body
                first = body[0]
                doc = isinstance(first, ast.Expr) and isinstance(getattr(first, "value", None), ast.Constant)
                skipped = first.end_lineno - first.lineno + 1 if doc else 0
                found.append((node.end_lineno - node.lineno + 1 - skipped, f"{file}:{node.name}"))
    return sorted(found, reverse=True)[:n]


def main() -> None:
    package = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "plrnn_numba"
    graph = imports(package)
    top = [file for file in graph if "/" not in file]
    print(
        f"{len(graph)} files, {len(top)} of them in the top folder; {sum(map(len, graph.values()))} imports"
    )
    needed = without_gatherers(graph)
    height = floors(needed)
    print(f"{max(height.values())} floors; circles: {circles(needed) or 'none'}")
    guide = package.parent / "CONTRIBUTING.md"
    try:
        rooms = rooms_of_the_guide(guide.read_text())
    except (OSError, AssertionError):
        rooms = []
    wrong = upward(graph, rooms)
    print(f"imports that run upwards in the table of CONTRIBUTING.md: {len(wrong)}", *wrong, sep="\n  ")
    for floor in range(max(height.values()), 0, -1):
        print(f"floor {floor:>2}  {', '.join(sorted(f for f, h in height.items() if h == floor))}")
    print("the longest functions (lines without docstrings):")
    for lines, name in longest_functions(package):
        print(f"  {lines:>4}  {name}")


if __name__ == "__main__":
    main()
