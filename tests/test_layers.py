"""Imports go down only; and what import contracts cannot say is read off the syntax trees here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import clew

PACKAGE = Path(clew.__file__).parent
CONTRACTS = Path(__file__).parent.parent / ".importlinter"
READING = ("ranking", "packet", "recall", "compaction", "impact", "augment")  # which see the store, and cannot change it
BELOW_ENRICH = (*READING, "codebase", "transcript", "task", "store", "records", "text", "errors")
NETWORK = {"socket", "_socket", "ssl", "http", "ftplib", "smtplib", "xmlrpc", "socketserver", "aiohttp", "httpx", "requests", "urllib3"}
CHANGING = {"apply", "move", "touch", "purge", "purge_source", "import_rows", "replace_state"}  # what a Writer does and a Reader does not


def modules() -> list[tuple[str, ast.Module, list[str]]]:
    """(room and module, syntax tree, lines) of every module of the package."""
    found: list[tuple[str, ast.Module, list[str]]] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text("utf-8")
        name = path.relative_to(PACKAGE).with_suffix("").as_posix()
        found.append((name, ast.parse(source, str(path)), source.split("\n")))
    return found


MODULES = modules()


def room_of(name: str) -> str:
    return name.partition("/")[0]


def imported(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Every module, and every name from a module, that a tree imports, with its statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def test_import_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """The layers, the two pipelines, the nouns, the Reader and the network: see `.importlinter`."""
    code = lint_imports(config_filename=str(CONTRACTS), no_cache=True, no_logo=True)

    assert code == 0, capsys.readouterr().out


def test_no_import_hides_in_a_function_without_its_reason() -> None:
    """A hidden import needs `# lazy: why` on its line. `clew.cli` alone imports as commands run, and says so as a room."""
    hidden = [
        f"{name}.py:{statement.lineno}"
        for name, tree, lines in MODULES
        if room_of(name) != "cli"
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for statement in ast.walk(function)
        if isinstance(statement, ast.Import | ast.ImportFrom) and "# lazy:" not in lines[statement.lineno - 1]
    ]

    assert sorted(set(hidden)) == []


def test_records_import_the_standard_library_alone() -> None:
    foreign = [
        f"{name}: {module}"
        for name, tree, _ in MODULES
        if room_of(name) == "records"
        for module, _ in imported(tree)
        if module.partition(".")[0] not in sys.stdlib_module_names and not module.startswith("clew.records")
    ]

    assert foreign == []


def test_the_task_room_imports_nouns_and_nothing_that_a_pipeline_makes() -> None:
    allowed = ("clew.records", "clew.errors", "clew.text", "clew.task", "msgspec", "numpy", "tree_sitter", "ahocorasick_rs")
    foreign = [
        f"{name}: {module}"
        for name, tree, _ in MODULES
        if room_of(name) == "task"
        for module, _ in imported(tree)
        if module.partition(".")[0] not in sys.stdlib_module_names and not module.startswith(allowed)
    ]

    assert foreign == []


def test_no_room_below_enrich_reaches_the_network() -> None:
    """The contract sees whole packages; `urllib` parses harmlessly and also requests, so its parts are told apart here."""
    reaching = [
        f"{name}: {module}"
        for name, tree, _ in MODULES
        if room_of(name) in BELOW_ENRICH
        for module, _ in imported(tree)
        if module.partition(".")[0] in NETWORK or module.startswith("urllib.request")
    ]

    assert reaching == []


def test_connections_are_opened_in_named_places_alone() -> None:
    """Whoever reads the first two has read all that leaves the machine; the others know loopback and the private socket."""
    reaching = {
        name
        for name, tree, _ in MODULES
        for module, _ in imported(tree)
        if module.partition(".")[0] in NETWORK or module.startswith("urllib.request")
    }

    assert reaching == {
        "enrich/models/json_client",  # the model that `clew compress` asks, and the self-hosted one whose states are kept
        "adapters/gateway/proxy",  # whom the client asked itself
        "adapters/daemon_files",  # finds a free port
        "adapters/http/supervise",  # binds the daemon's sockets
        "adapters/http/start",  # asks the daemon over its socket
        "adapters/http/worker",  # takes the sockets that it inherits
        "adapters/http/page_process",  # binds the page's port
        "adapters/http/server",  # names the sockets that it is given
        "adapters/doctor",  # asks whether the daemon's port is the daemon's
        "adapters/http/certificate",  # by which a client on loopback knows the daemon
        "adapters/http/guard",  # looks at who has connected, as the next one
        "adapters/http/peer",
        "adapters/claude_code/plugin/clew/clew_ask",  # asks the daemon over its socket
        "adapters/claude_code/plugin/clew/clew_relay",  # asks it for the mod, and listens on a socket of its own
    }


def test_rooms_that_read_cannot_name_a_writer() -> None:
    named = [
        f"{name}.py:{node.lineno}"
        for name, tree, _ in MODULES
        if room_of(name) in READING
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "Writer")
        or (isinstance(node, ast.Attribute) and node.attr == "Writer")
        or (isinstance(node, ast.alias) and node.name == "Writer")
    ]

    assert named == []


def test_only_lifecycle_calls_what_changes_the_store() -> None:
    """Checked by names: whatever is annotated or made as a Writer or a …Store anywhere in the package, as a variable, an
    argument or an attribute, is taken for one everywhere. A store under yet another name, without an annotation, escapes.
    """
    stores = {name for _, tree, _ in MODULES for name in _named_stores(tree)}
    callers = [
        f"{name}.py:{node.lineno}: {ast.unparse(node.func)}"
        for name, tree, _ in MODULES
        if room_of(name) not in ("lifecycle", "store")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING
        if _last_name(node.func.value) in stores
    ]

    assert callers == []


def _named_stores(tree: ast.Module) -> Iterator[str]:
    """Names that a module annotates as a Writer or a …Store, or assigns a new one to."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and _is_store(node.annotation):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and _is_store(node.annotation):
            yield _last_name(node.target)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _is_store(node.value.func):
            yield from (_last_name(target) for target in node.targets)
        elif isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call) and _is_store(node.context_expr.func):
            yield _last_name(node.optional_vars)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in ("writer", "store"):
            yield from (_last_name(target) for target in node.targets)


def _is_store(annotation: ast.expr | None) -> bool:
    """Whether an expression names a Writer or a …Store, quoted or in a union."""
    if annotation is None:
        return False
    words = ast.unparse(annotation).replace("'", "").replace("|", " ").split()
    return any(word.rpartition(".")[2] == "Writer" or word.endswith("Store") for word in words)


def _last_name(expression: ast.expr | None) -> str:
    """`store` of `store`, of `self.store`, of `engine.store`; "" for what has no name."""
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""
