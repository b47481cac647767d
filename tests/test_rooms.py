"""The plan of the house: imports run one way down the table of CONTRIBUTING.md, and the core knows no files."""

from pathlib import Path

import rooms

PACKAGE = rooms.ROOT / "plrnn_numba"


def test_every_file_lies_in_a_room_of_the_guide_and_every_room_is_there():
    guide = rooms.rooms_of_the_guide()
    assert len(guide) == len(set(guide))
    assert [file for file in rooms.imports(PACKAGE) if rooms.room_of(file, guide) is None] == []
    assert [room for room in guide if not (PACKAGE / room).exists()] == []


def test_imports_run_one_way_down_the_table():
    assert rooms.upward(rooms.imports(PACKAGE), rooms.rooms_of_the_guide()) == []


def test_no_files_import_each_other_in_a_circle():
    graph = rooms.imports(PACKAGE)
    assert rooms.circles(rooms.without_gatherers(graph)) == []


def test_the_core_knows_no_configuration_no_files_and_does_not_print():
    guide = rooms.rooms_of_the_guide()
    assert set(rooms.CORE) <= set(guide)
    above = guide[: guide.index("analysis/")]
    assert {"config/", "training/", "data/", "runs/"} <= set(above)  # so the table forbids them to the core
    assert rooms.touches(PACKAGE) == []


def test_the_checks_see_what_they_are_for(tmp_path):
    """A house with each fault in it."""
    house = tmp_path / "house"
    files = {
        "__init__.py": "from .config import Config",
        "config/__init__.py": "from .config import Config",
        "config/config.py": "class Config: pass",
        "models/__init__.py": "",
        "models/one.py": "def f():\n    from ..config import Config\n    from .two import g\n    print(1)",
        "models/two.py": "import json\nfrom house.models.one import f",
    }
    for name, text in files.items():
        path = house / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    graph = rooms.imports(house)
    table = "| room | what |\n| --- | --- |\n| `__init__.py` | |\n| `config/` | |\n| `models/` | |\n\n"
    guide = rooms.rooms_of_the_guide(table)
    assert guide == ["__init__.py", "config/", "models/"]
    assert rooms.upward(graph, guide) == ["models/one.py -> config/config.py"]
    assert rooms.circles(graph) == [["models/one.py", "models/two.py"]]
    assert rooms.touches(house) == ["models/one.py: print()", "models/two.py: import json"]
    assert rooms.room_of("elsewhere.py", guide) is None
