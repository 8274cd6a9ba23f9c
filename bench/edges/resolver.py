"""Resolver: what a language's own resolver says is called, to compare clew's calls with."""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import subprocess
import sysconfig
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.edges.graph import SAMPLE_SEED, Graph

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Site:
    """A call in a file: line (1-based) and column (0-based) of the called name."""

    path: str
    line: int
    column: int
    name: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a site leads: lines of definitions by path inside the tree; `is_known` says whether the resolver found anything at all."""

    site: Site
    heads: tuple[tuple[str, int], ...]
    is_known: bool


def python_sites(graph: Graph) -> list[Site]:
    """Return all calls of names and attributes in a tree's Python files."""
    found: list[Site] = []
    for path, language in sorted(graph.languages.items()):
        if language != "python":
            continue
        text = "\n".join(graph.lines(path))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found.append(Site(path, node.func.lineno, node.func.col_offset, node.func.id))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.end_col_offset is not None:
                column = node.func.end_col_offset - len(node.func.attr.encode())
                found.append(Site(path, node.func.end_lineno or node.func.lineno, column, node.func.attr))
    return found


def draw_sites(sites: list[Site], count: int) -> list[Site]:
    """Return a sample of sites that depends on the sites alone."""

    def place(site: Site) -> bytes:
        return hashlib.sha256(f"{SAMPLE_SEED} {site.path}:{site.line}:{site.column}".encode("utf-8", "surrogateescape")).digest()

    return sorted(sites, key=place)[:count]


def resolve_python(graph: Graph, sites: list[Site]) -> list[Resolved]:
    """Ask jedi where each call leads. Raises ImportError where jedi is not installed."""
    jedi: Any = importlib.import_module("jedi")  # only this benchmark needs it

    # An installed package of the same name must not be found instead of the tree's own.
    project = jedi.Project(
        graph.root, sys_path=[str(graph.root / "src"), str(graph.root), sysconfig.get_path("stdlib")], smart_sys_path=False
    )
    scripts: dict[str, Any] = {}
    root = graph.root.resolve()
    found: list[Resolved] = []
    for site in sites:
        script = scripts.get(site.path)
        if script is None:
            script = scripts[site.path] = jedi.Script(path=graph.root / site.path, project=project)
        line = graph.lines(site.path)[site.line - 1]
        column = len(line.encode()[: site.column].decode("utf-8", "replace"))
        try:
            names: list[Any] = script.goto(site.line, column, follow_imports=True)
        except Exception:  # noqa: BLE001 - jedi raises what it likes on code it cannot read; the site then counts as unknown
            names = []
        heads: list[tuple[str, int]] = []
        for name in names:
            path = name.module_path
            if name.type in ("function", "class") and path is not None and name.line and path.resolve().is_relative_to(root):
                heads.append((path.resolve().relative_to(root).as_posix(), name.line))
        found.append(Resolved(site, tuple(sorted(set(heads))), bool(names) and all(name.type in ("function", "class") for name in names)))
    return found


def resolve_typescript(root: Path, compiler: Path) -> list[Resolved]:
    """Ask the TypeScript compiler (`compiler`: its lib/typescript.js) where every call in a tree leads."""
    done = subprocess.run(
        ["node", str(HERE / "calls.js"), str(compiler), str(root)], capture_output=True, encoding="utf-8", check=True, timeout=550
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [
        Resolved(Site(row["path"], row["line"], row["column"], row["name"]), tuple((p, n) for p, n in row["heads"]), row["known"])
        for row in rows
    ]
