from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGES = ("undercard", "tasks", "flows")
# The engines and the files of backends are imported when a backend opens.
ON_DEMAND = ("undercard.engine", "undercard.backends.")
HEAVY = ("torch", "diffusers", "transformers")
WINDOWS_SIGNALS = ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM")


def modules_of(package: str) -> list[str]:
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / package).rglob("*.py"))
    return sorted(name.removesuffix(".__init__") for name in names if not name.startswith(ON_DEMAND))


def run_after_imports(modules: list[str], watched: tuple[str, ...], ending: str) -> str:
    """Import *modules* in a fresh interpreter that names every *watched* audit event on its standard output."""
    code = f"""
import importlib, sys
watching = True
def watch(event, arguments):
    if watching and event in {watched!r}:
        print(event, arguments)
sys.addaudithook(watch)
for name in {modules!r}:
    importlib.import_module(name)
watching = False
{ending}
"""
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_everything_neither_reaches_the_network_nor_loads_torch() -> None:
    modules = [module for package in PACKAGES for module in modules_of(package)]
    ending = f"print(*sorted(set({HEAVY!r}) & set(sys.modules)))"

    assert run_after_imports(modules, ("socket.connect", "socket.getaddrinfo"), ending).strip() == ""


def test_planning_with_every_backend_loads_no_torch() -> None:
    planning = "from undercard.planning import rungs; rungs.everything()"
    ending = f"{planning}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"

    assert run_after_imports([], (), ending).strip() == ""


def test_importing_the_library_starts_no_process_and_makes_no_folder() -> None:
    watched = ("subprocess.Popen", "os.system", "os.fork", "os.posix_spawn", "os.mkdir", "os.rename", "os.remove")

    events = run_after_imports(modules_of("undercard"), watched, "").splitlines()

    # numba makes the folder for its compiled code where Python keeps its own.
    assert [event for event in events if "__pycache__" not in event] == []


def test_importing_the_library_does_not_import_prefect() -> None:
    # These are imported by `undercard render`, `server up` and `notify` alone.
    users = {f"undercard.cli.{name}" for name in ("render", "registered", "notifications")}
    modules = [module for module in modules_of("undercard") if module not in users]

    assert run_after_imports(modules, (), "print('prefect' in sys.modules)").strip() == "False"


def test_everything_is_importable_where_modules_and_signals_of_posix_are_missing() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for name in PACKAGES for path in paths_of(name)]
    # What they are built on is imported first: only this project's own imports are refused.
    code = f"""
import importlib, os, signal, sys
def import_all():
    lacking = []
    for name in {modules!r}:
        try:
            importlib.import_module(name.removesuffix(".__init__"))
        except (AttributeError, ModuleNotFoundError) as exc:
            lacking.append((name, exc.name))
    return lacking
before = import_all()
for name in [name for name in sys.modules if name.partition(".")[0] in {PACKAGES!r}]:
    del sys.modules[name]
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in [one.name for one in signal.Signals if one.name not in {WINDOWS_SIGNALS!r}]:
    delattr(signal, name)
for name in ("fork", "getuid", "pread", "preadv", "sched_getaffinity"):
    delattr(os, name)
print(sorted(set(import_all()) - set(before)))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_the_modules_of_benchmarks_import_each_other_in_no_circle() -> None:
    assert circles_in("benchmarks", ROOT) == set()


def test_a_circle_is_found_whatever_form_and_place_its_imports_have(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "one.py").write_text("from benchmarks import alone\n\ndef f():\n    from benchmarks import two\n")
    (folder / "two.py").write_text("def f():\n    import benchmarks.three\n\nfrom benchmarks import alone\n")
    (folder / "three.py").write_text('import importlib\n\nimportlib.import_module("benchmarks.one")\n')
    (folder / "alone.py").touch()

    assert circles_in("benchmarks", tmp_path) == {"benchmarks.one", "benchmarks.two", "benchmarks.three"}


@pytest.mark.parametrize("package", PACKAGES)
def test_only_the_settings_read_the_environment(package: str) -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path in (ROOT / package).rglob("*.py")
        if {"environ", "getenv", "putenv"} & set(names_in(path))
    ]

    assert readers == (["undercard/settings.py"] if package == "undercard" else [])


def test_settings_are_read_by_commands_flows_and_tasks_and_passed_on_to_the_library() -> None:
    readers = {
        path.relative_to(ROOT).parts for package in PACKAGES for path in paths_of(package) if reads_settings(path)
    }

    assert {parts for parts in readers if parts[0] == "undercard" and parts[1] != "cli"} == set()
    # The scan sees what it is meant to see.
    assert ("tasks", "runs.py") in readers
    assert ("undercard", "cli", "render.py") in readers


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_says_what_it_owns(package: str) -> None:
    paths = (ROOT / package).rglob("*.py")

    assert [path.name for path in paths if not ast.get_docstring(ast.parse(path.read_text("utf-8")))] == []


def reads_settings(path: Path) -> bool:
    """Say whether the module at *path* asks for `settings.load`, or imports it by its own name."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    imported = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "undercard.settings"
        and "load" in {a.name for a in node.names}
        for node in nodes
    )
    return imported or any(
        isinstance(node, ast.Attribute)
        and node.attr == "load"
        and isinstance(node.value, ast.Name)
        and node.value.id == "settings"
        for node in nodes
    )


def paths_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def circles_in(package: str, root: Path) -> set[str]:
    """Return the modules of *package* that lie on a circle of imports, or import one that does."""
    names = {path: ".".join(path.relative_to(root).with_suffix("").parts) for path in (root / package).rglob("*.py")}
    imports = {name.removesuffix(".__init__"): imports_of(path) for path, name in names.items()}
    graph = {name: imported & imports.keys() for name, imported in imports.items()}
    # Take away what imports nothing that is left, again and again; a circle stays.
    while free := {name for name, imported in graph.items() if not imported & graph.keys()}:
        graph = {name: imported for name, imported in graph.items() if name not in free}
    return set(graph)


def imports_of(path: Path) -> set[str]:
    """Return every module that *path* imports by name, at its top or later."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {str(given.value) for given in node.args if isinstance(given, ast.Constant)}
    return found


def names_in(path: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    attributes = [node.attr for node in nodes if isinstance(node, ast.Attribute)]
    return attributes + [name.name for node in nodes if isinstance(node, ast.ImportFrom) for name in node.names]
