"""Imports go one way: jobs → pipelines → strmatch, and within pipelines from floor to floor."""

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("strmatch", "pipelines", "jobs")
FLOORS = (
    {"runs", "ray_data"},
    {"phases"},
    {"stages", "publishing", "exports"},
    {"plugins"},
    {"prompters", "captioners", "judges"},
    {"trackers", "editors", "metrics", "vision_language", "openai_client"},
    {"cluster", "reliability", "tables", "progress"},
    {"media", "config", "telemetry", "rows", "sources"},
    {
        "english",
        "storage",
        "schema",
        "ids",
        "versions",
        "target_prompt",
        "errors",
        "causes",
        "registry",
    },
)
"""Rooms of `pipelines`, from the top. A room imports only what stands on its floor or below."""
MOST_MODULES = 16


def _modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = _modules()


def _imports(path: Path, everywhere: bool) -> set[str]:
    """The project's modules that a file imports: at its top level, or everywhere in the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found & MODULES.keys()


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _assert_no_circles(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"circle of imports: {' → '.join(error.args[1])}")


def test_packages_import_only_what_stands_below_them():
    for module, path in MODULES.items():
        floor = PACKAGES.index(module.split(".")[0])
        for imported in _imports(path, everywhere=True):
            assert PACKAGES.index(imported.split(".")[0]) <= floor, f"{module} imports {imported}"


def test_rooms_of_pipelines_import_only_their_floor_and_those_below():
    floors = {f"pipelines.{room}": n for n, rooms in enumerate(FLOORS) for room in rooms}
    rooms = {_room(module) for module in MODULES if module.startswith("pipelines.")}
    assert rooms == floors.keys(), "each room of pipelines stands on one of FLOORS"
    for module, path in MODULES.items():
        if _room(module) not in floors:
            continue
        for imported in _imports(path, everywhere=False):
            if imported.startswith("pipelines."):
                message = f"{module} imports {imported} from a floor above"
                assert floors[_room(imported)] >= floors[_room(module)], message


def test_neither_modules_nor_rooms_import_in_circles():
    imports = {m: _imports(path, everywhere=False) - {m} for m, path in MODULES.items()}
    _assert_no_circles(imports)
    rooms: dict[str, set[str]] = defaultdict(set)
    for module, imported in imports.items():
        rooms[_room(module)] |= {_room(name) for name in imported} - {_room(module)}
    _assert_no_circles(rooms)


def test_folders_are_small_enough_to_overlook():
    folders: dict[Path, int] = defaultdict(int)
    for path in MODULES.values():
        folders[path.parent] += path.name != "__init__.py"
    crowded = {str(folder): n for folder, n in folders.items() if n > MOST_MODULES}
    assert not crowded
