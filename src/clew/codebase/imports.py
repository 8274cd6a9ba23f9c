"""Imports: which file does an import mean, and how sure is that?

A pure function of the names of a repository's files and of one file's imports: nothing is opened, no
interpreter, compiler or package manager is asked. Each language has its own way from a name to a
path; what they share is the search for paths that end in it. Confidence:

| 1.0 | the import says the path: relative imports, includes and requires that exist |
| .9 | one file of the repository has that name below a place where such files are looked for |
| .6 | one file has it, but the place is unusual, or only a part of the name could be matched |
| divided by k | k files have it, or the import means all k files of a folder; above `CANDIDATES_MAX` nothing is said |

What a manifest says about its own name (`go.mod`, `package.json`, `Cargo.toml`, `composer.json`) may be
given to the index as `roots`; `roots_of` reads it. An import of something outside the repository
resolves to nothing. So does Swift's `import Module`, which names no file.
"""

from __future__ import annotations

import json
import posixpath
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from clew.codebase.facts import FileFacts, Import
from clew.codebase.languages.drafts import words

EXACT, LIKELY, WEAK = 1.0, 0.9, 0.6
CANDIDATES_MAX = 8  # more files that end alike say nothing; guess
FOLDER_FILES_MAX = 40  # of a package that is imported as a whole; guess

_SCRIPTS = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".vue", ".svelte")
_JVM = (".java", ".kt", ".kts")
_NODE_BUILTINS = words(
    "assert buffer child_process cluster console constants crypto dgram dns domain events fs http http2 https module net os path "
    "perf_hooks process punycode querystring readline repl stream string_decoder test timers tls tty url util v8 vm worker_threads "
    "zlib"
)
_RUST_OUTSIDE = frozenset(("std", "core", "alloc", "proc_macro", "test"))
_C_FAMILY = (".h", ".hpp", ".hh", ".hxx", ".c", ".cc", ".cpp", ".cxx", ".inl", ".ipp", ".inc", ".tpp", ".cuh", ".def")

Candidate = tuple[str, float]


@dataclass(frozen=True, slots=True)
class ResolvedImport:
    """One file that an import means.

    target      path of a file in the same index.
    confidence  0 < confidence ≤ 1.
    names       (name there, name here) that are taken out of this file; ("*", "*") for everything.
    alias       the name that stands for the whole file or its package here; "" if none.
    line        1-based, of the import.
    """

    target: str
    confidence: float
    names: tuple[tuple[str, str], ...]
    alias: str
    line: int


def roots_of(path: str, data: bytes) -> dict[str, str]:
    """Return which folders a manifest gives names to: {name that imports start with: folder}; nothing for other or broken files."""
    folder, _, name = path.rpartition("/")
    if name == "go.mod":
        found = re.search(rb"^module[ \t]+\"?([^\s\"]+)", data, re.MULTILINE)
        return {found.group(1).decode("utf-8", "replace"): folder} if found else {}
    try:
        if name == "Cargo.toml":
            crate = _text(tomllib.loads(data.decode("utf-8")), "package", "name")
            return {crate.replace("-", "_"): posixpath.join(folder, "src")} if crate else {}
        if name == "package.json":
            package = _text(json.loads(data), "name")
            return {package: folder} if package else {}
        if name == "composer.json":
            spaces = _table(_table(json.loads(data), "autoload"), "psr-4").items()
            return {space.rstrip("\\"): posixpath.join(folder, place).rstrip("/") for space, place in spaces if isinstance(place, str)}
    except (ValueError, RecursionError):  # a broken manifest names nothing; the index then goes by paths alone
        return {}
    return {}


def _table(value: object, key: str) -> dict[str, object]:
    found = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _text(value: object, *keys: str) -> str:
    for key in keys[:-1]:
        value = _table(value, key)
    found = cast("dict[str, object]", value).get(keys[-1]) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


class PathIndex:
    """The paths of a repository, to be asked which of them an import means; built once, never changed.

    paths  of all files, relative, with "/".
    roots  folders by the name that imports start with: see `roots_of`.
    Cost  about 2 µs per path to build, some µs per import to ask.
    """

    def __init__(self, paths: Iterable[str], roots: Mapping[str, str] | None = None) -> None:
        self._paths = frozenset(paths)
        self._roots = dict(roots or {})
        self._by_name: dict[str, list[str]] = {}
        self._by_folder: dict[str, list[str]] = {}
        self._folders_by_name: dict[str, list[str]] = {}
        for path in sorted(self._paths):
            folder, _, name = path.rpartition("/")
            self._by_name.setdefault(name, []).append(path)
            files = self._by_folder.get(folder)
            if files is None:
                self._by_folder[folder] = [path]
            else:
                files.append(path)
        for folder in self._by_folder:
            self._folders_by_name.setdefault(folder.rpartition("/")[2], []).append(folder)
        self._packages = self._by_name.get("__init__.py", [])
        self._packages_by_name: dict[str, list[str]] = {}
        for path in self._packages:
            self._packages_by_name.setdefault(path.split("/")[-2] if "/" in path else "", []).append(path)
        self._ways: dict[str, Callable[[str, Import], Iterator[ResolvedImport]]] = {
            "python": self._python,
            "javascript": self._script,
            "typescript": self._script,
            "tsx": self._script,
            "go": self._go,
            "rust": self._rust,
            "java": self._jvm,
            "kotlin": self._jvm,
            "csharp": self._csharp,
            "php": self._php,
            "ruby": self._ruby,
            "c": self._include,
            "cpp": self._include,
        }

    def resolve(self, path: str, language: str, imported: Import) -> tuple[ResolvedImport, ...]:
        """Return the files that an import in `path` means, most probable first, then by path; never the file itself."""
        way = self._ways.get(language)
        if way is None:
            return ()
        found = [resolved for resolved in way(path, imported) if resolved.target != path]
        found.sort(key=lambda resolved: (-resolved.confidence, resolved.target))
        return tuple(found)

    def resolve_all(self, facts: FileFacts) -> tuple[ResolvedImport, ...]:
        """Return what all imports of a file resolve to, in order of the imports."""
        return tuple(resolved for imported in facts.imports for resolved in self.resolve(facts.path, facts.language, imported))

    def _ending(self, tail: str) -> list[str]:
        """Return the paths that are `tail` or end in "/" and `tail`, sorted."""
        same_name = self._by_name.get(tail.rpartition("/")[2], [])
        if "/" not in tail:
            return same_name
        slashed = "/" + tail
        return [path for path in same_name if path == tail or path.endswith(slashed)]

    def _folders_ending(self, tail: str) -> list[str]:
        same_name = self._folders_by_name.get(tail.rpartition("/")[2], [])
        slashed = "/" + tail
        return [folder for folder in same_name if folder == tail or folder.endswith(slashed)]

    def _rooted(self, module: str, separator: str) -> tuple[str, str] | None:
        """Return (folder, rest of the module) where a manifest gave the longest beginning of the module a name."""
        name = module
        while name:
            if name in self._roots:
                return self._roots[name], module[len(name) :].lstrip(separator).replace(separator, "/")
            name = name.rpartition(separator)[0]
        return None

    def _first(self, candidates: Iterable[str]) -> str | None:
        return next((path for path in candidates if path in self._paths), None)

    # Python

    def _python(self, path: str, imported: Import) -> Iterator[ResolvedImport]:
        """Ask for each name as a module of its own first: `from package import module`."""
        if not imported.names:
            yield from _resolved(self._python_module(path, imported.module), imported, (), imported.alias)
            return
        by_target: dict[Candidate, list[tuple[str, str]]] = {}
        joint = "" if imported.module.endswith(".") else "."
        whole: list[Candidate] | None = None
        for name in imported.names:
            candidates = self._python_module(path, imported.module + joint + name[0]) if name[0] != "*" else []
            if not candidates:
                whole = self._python_module(path, imported.module) if whole is None else whole
                candidates = whole
            for candidate in candidates:
                by_target.setdefault(candidate, []).append(name)
        for candidate, names in by_target.items():
            yield from _resolved([candidate], imported, tuple(names), "")

    def _python_module(self, path: str, module: str) -> list[Candidate]:
        name = module.lstrip(".")
        dots = len(module) - len(name)
        tail = name.replace(".", "/")
        if dots:
            folder = path.rpartition("/")[0]
            for _ in range(dots - 1):
                if not folder:
                    return []
                folder = folder.rpartition("/")[0]
            base = posixpath.join(folder, tail) if tail else folder
            found = self._first(_module_files(base) if tail else (posixpath.join(base, "__init__.py"),))
            return [(found, EXACT)] if found else []
        return self._python_absolute(path, tail)

    def _python_absolute(self, path: str, tail: str) -> list[Candidate]:
        found = [candidate for ending in (".py", ".pyi", ".pyx") for candidate in self._ending(tail + ending)]
        packages = self._packages_by_name.get(tail.rpartition("/")[2], [])
        slashed = f"/{tail}/__init__.py"
        found += [package for package in packages if package == slashed[1:] or package.endswith(slashed)]
        folder = path.rpartition("/")[0]
        roots = {candidate: candidate[: -len(tail) - len(_module_ending(candidate))].rstrip("/") for candidate in found}
        is_standard = tail.split("/", 1)[0] in sys.stdlib_module_names
        proper = [candidate for candidate, root in roots.items() if posixpath.join(root, "__init__.py") not in self._paths]
        if is_standard:
            proper = [candidate for candidate in proper if roots[candidate] in ("", "src", "lib", folder)]
        if proper:
            nearest = [candidate for candidate in proper if _is_within(path, roots[candidate])]
            if len(nearest) > 1:
                # The closest root wins: a script's own folder, or the package root that the file lies in.
                longest = max(len(roots[candidate]) for candidate in nearest)
                nearest = [candidate for candidate in nearest if len(roots[candidate]) == longest]
            return _divided(nearest or proper, LIKELY)
        beside = [candidate for candidate, root in roots.items() if root == folder]
        return _divided(beside, WEAK) if beside and not is_standard else []

    # JavaScript and TypeScript

    def _script(self, path: str, imported: Import) -> Iterator[ResolvedImport]:
        module = imported.module.split("?", 1)[0]
        if imported.is_relative:
            base = _joined(path, module)
            found = self._script_file(base) if base is not None else None
            yield from _resolved([(found, EXACT)] if found else [], imported)
            return
        if module.startswith("node:") or module.split("/", 1)[0] in _NODE_BUILTINS:
            return
        rooted = self._rooted(module, "/")
        if rooted is not None:
            folder, rest = rooted
            entries = (posixpath.join(folder, "src", rest or "index"), posixpath.join(folder, rest or "index"))
            found = next((file for file in map(self._script_file, entries) if file), None)
            yield from _resolved([(found, LIKELY)] if found else [], imported)
            return
        if module[:2] in ("@/", "~/", "#/") or ("/" in module and not module.startswith("@")):
            tail = module[2:] if module[1:2] == "/" else module
            found_ = [candidate for ending in ("", *_SCRIPTS) for candidate in self._ending(tail + ending)]
            found_ += [candidate for ending in _SCRIPTS for candidate in self._ending(f"{tail}/index{ending}")]
            if found_:
                yield from _resolved(_divided([candidate for candidate in found_ if candidate.endswith(_SCRIPTS)], LIKELY), imported)
                return
        yield from _resolved(self._workspace_package(module), imported)

    def _script_file(self, base: str) -> str | None:
        stem, ending = posixpath.splitext(base)
        typed = {".js": (".ts", ".tsx", ".d.ts"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}.get(ending, ())
        tries = [base, *(stem + other for other in typed), *(base + other for other in _SCRIPTS)]
        return self._first([*tries, *(posixpath.join(base, "index" + other) for other in _SCRIPTS)])

    def _workspace_package(self, module: str) -> list[Candidate]:
        """Return the entry of a package that lives in the same repository, found by its folder's name."""
        parts = module.split("/")
        name, rest = ("/".join(parts[:2]), parts[2:]) if module.startswith("@") else (parts[0], parts[1:])
        folders = [f for f in self._folders_by_name.get(name.rpartition("/")[2], []) if posixpath.join(f, "package.json") in self._paths]
        found: list[str] = []
        for folder in folders:
            inner = "/".join(rest)
            entry = self._script_file(posixpath.join(folder, "src", inner or "index")) or self._script_file(
                posixpath.join(folder, inner or "index")
            )
            if entry:
                found.append(entry)
        return _divided(found, WEAK)

    # Go

    def _go(self, path: str, imported: Import) -> Iterator[ResolvedImport]:
        """Match the end of an import path with a folder; the standard library has no dot in its first part."""
        parts = imported.module.split("/")
        if imported.is_relative:
            base = _joined(path, imported.module)
            yield from self._package(base, ".go", EXACT, imported)
            return
        rooted = self._rooted(imported.module, "/")
        if rooted is not None:
            yield from self._package("/".join(part for part in rooted if part), ".go", EXACT, imported)
            return
        if "." not in parts[0] and len(parts) == 1:
            return
        is_outside = "." not in parts[0]
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            if is_outside and start:
                return
            folders = [folder for folder in self._folders_ending(tail) if any(name.endswith(".go") for name in self._by_folder[folder])]
            exact = [folder for folder in folders if folder == tail]
            if exact or folders:
                matched = exact or folders
                confidence = (LIKELY if exact else WEAK) / len(matched)
                for folder in matched if len(matched) <= CANDIDATES_MAX else ():
                    yield from self._package(folder, ".go", confidence, imported)
                return

    def _package(self, folder: str | None, ending: str | tuple[str, ...], confidence: float, imported: Import) -> Iterator[ResolvedImport]:
        """Return all files of a package that is imported as a whole; each is meant, so the confidence is not divided."""
        files = (
            [path for path in self._by_folder.get(folder, []) if path.endswith(ending) and not path.endswith("_test.go")]
            if folder is not None
            else []
        )
        if len(files) <= FOLDER_FILES_MAX:
            yield from _resolved([(path, confidence) for path in files], imported)

    # Rust

    def _rust(self, path: str, imported: Import) -> Iterator[ResolvedImport]:
        parts = imported.module.split("::")
        folder, _, name = path.rpartition("/")
        home = folder if name in ("lib.rs", "main.rs", "mod.rs", "build.rs") else posixpath.join(folder, name[:-3])
        confidence = EXACT
        if parts[0] == "self":
            base, parts = home, parts[1:]
        elif parts[0] == "super":
            base = home
            while parts and parts[0] == "super":
                base, parts = base.rpartition("/")[0], parts[1:]
        elif parts[0] == "crate":
            base, parts = self._crate_root(folder), parts[1:]
        else:
            base, parts, confidence = self._other_crate(home, parts)
        if base is None:
            return
        by_target: dict[str, list[tuple[str, str]]] = {}
        for taken in imported.names or (("", ""),):
            target = self._rust_file(base, [*parts, taken[0]] if taken[0] not in ("", "*") else parts)
            if target:
                by_target.setdefault(target, []).append(taken)
        for target, names in by_target.items():
            yield from _resolved([(target, confidence)], imported, tuple(name for name in names if name[0]))

    def _other_crate(self, home: str, parts: list[str]) -> tuple[str | None, list[str], float]:
        """Return where a path without a keyword starts: a module beside this file, or a crate of the same workspace."""
        if parts[0] in _RUST_OUTSIDE:
            return None, parts, 0.0
        if self._first((posixpath.join(home, parts[0] + ".rs"), posixpath.join(home, parts[0], "mod.rs"))):
            return home, parts, LIKELY
        if parts[0] in self._roots:
            return self._roots[parts[0]], parts[1:], LIKELY
        names = dict.fromkeys((parts[0], parts[0].replace("_", "-")))
        roots = [
            f for name in names for f in self._folders_by_name.get("src", []) if f.endswith(f"{name}/src") and f"{f}/lib.rs" in self._paths
        ]
        return (roots[0], parts[1:], WEAK) if len(roots) == 1 else (None, parts, 0.0)

    def _crate_root(self, folder: str) -> str | None:
        while True:
            if self._first((posixpath.join(folder, "lib.rs"), posixpath.join(folder, "main.rs"))):
                return folder
            if not folder:
                return None
            folder = folder.rpartition("/")[0]

    def _rust_file(self, base: str, parts: list[str]) -> str | None:
        """Return the file of the longest part of a path that is a module; the rest are names in it."""
        for count in range(len(parts), 0, -1):
            stem = posixpath.join(base, *parts[:count])
            found = self._first((stem + ".rs", stem + "/mod.rs"))
            if found:
                return found
        beside = (base + ".rs", posixpath.join(base, "mod.rs"), posixpath.join(base, "lib.rs"), posixpath.join(base, "main.rs"))
        return self._first(beside)

    # Languages whose namespaces are folders: Java and Kotlin, C#, PHP

    def _jvm(self, _path: str, imported: Import) -> Iterator[ResolvedImport]:
        package = imported.module.replace(".", "/")
        for name in imported.names:
            if name[0] != "*":
                found = [candidate for ending in _JVM for candidate in self._ending(f"{package}/{name[0]}{ending}")]
                if found:
                    yield from _resolved(_divided(found, LIKELY), imported, (name,))
                    continue
            outer = [candidate for ending in _JVM for candidate in self._ending(package + ending)]
            if outer:  # a member of a class
                yield from _resolved(_divided(outer, LIKELY), imported, (name,))
                continue
            files = [file for folder in self._folders_ending(package) for file in self._by_folder[folder] if file.endswith(_JVM)]
            if name[0] != "*":  # a function of a Kotlin file that may be called anything
                files = [file for file in files if file.endswith((".kt", ".kts"))]
                yield from _resolved(_divided(files, LIKELY), imported, (name,))
            elif len(files) <= FOLDER_FILES_MAX:
                yield from _resolved([(file, WEAK) for file in files], imported, (name,))

    def _csharp(self, _path: str, imported: Import) -> Iterator[ResolvedImport]:
        dotted = "." + imported.module
        last = imported.module.rpartition(".")[2]
        if imported.alias or "." in imported.module:
            found = self._ending(imported.module.replace(".", "/") + ".cs")
            if found:
                yield from _resolved(_divided(found, LIKELY), imported)
                return
        # A project's folder is often called after its whole namespace, so folders may hold dots themselves.
        names = [name for name in self._folders_by_name if name == last or name.endswith("." + last)]
        folders = [folder for name in names for folder in self._folders_by_name[name] if ("." + folder.replace("/", ".")).endswith(dotted)]
        files = [file for folder in folders for file in self._by_folder[folder] if file.endswith(".cs")]
        if len(files) <= FOLDER_FILES_MAX:
            yield from _resolved([(file, WEAK) for file in files], imported)

    def _php(self, path: str, imported: Import) -> Iterator[ResolvedImport]:
        if imported.is_relative:
            base = _joined(path, imported.module)
            found = self._first([base] if base else []) or self._first([imported.module])
            yield from _resolved([(found, EXACT)] if found else _divided(self._ending(imported.module.lstrip("./")), WEAK), imported)
            return
        for name in imported.names or (("", ""),):
            parts = [part for part in (*imported.module.split("\\"), name[0]) if part]
            rooted = self._rooted("\\".join(parts), "\\")
            target = posixpath.join(*rooted) + ".php" if rooted is not None else ""
            if target in self._paths:
                yield from _resolved([(target, EXACT)], imported, (name,) if name[0] else ())
                continue
            # The first parts of a namespace are often mapped to another folder, so that only the end can be matched.
            for start in range(len(parts)):
                found_ = self._ending("/".join(parts[start:]) + ".php")
                if found_:
                    is_likely = len(parts) - start > 1 or len(parts) == 1
                    yield from _resolved(_divided(found_, LIKELY if is_likely else WEAK), imported, (name,) if name[0] else ())
                    break

    # Ruby, C, C++

    def _ruby(self, path: str, imported: Import) -> Iterator[ResolvedImport]:
        ending = "" if imported.module.endswith(".rb") else ".rb"
        if imported.is_relative:
            base = _joined(path, imported.module + ending)
            yield from _resolved([(base, EXACT)] if base in self._paths else [], imported)
            return
        found = self._ending(imported.module + ending)
        in_lib = [candidate for candidate in found if ("/" + candidate).endswith("/lib/" + imported.module + ending)]
        if in_lib or "/" in imported.module:
            yield from _resolved(_divided(in_lib or found, LIKELY if in_lib else WEAK), imported)

    def _include(self, path: str, imported: Import) -> Iterator[ResolvedImport]:
        base = _joined(path, imported.module)
        if imported.is_relative and base in self._paths:
            yield from _resolved([(base, EXACT)], imported)
            return
        tail = posixpath.normpath(imported.module)
        while tail.startswith("../"):
            tail = tail[3:]
        found = [candidate for candidate in self._ending(tail) if candidate.endswith(_C_FAMILY) or imported.is_relative]
        if len(found) > 1:
            shared = [len(posixpath.commonprefix((path, candidate)).rpartition("/")[0]) for candidate in found]
            nearest = [candidate for candidate, length in zip(found, shared, strict=True) if length == max(shared)]
            found = nearest if max(shared) else found
        yield from _resolved(_divided(found, LIKELY if imported.is_relative or "/" in tail else WEAK), imported)


def _resolved(
    candidates: Iterable[Candidate], imported: Import, names: tuple[tuple[str, str], ...] | None = None, alias: str | None = None
) -> Iterator[ResolvedImport]:
    own_names = imported.names if names is None else names
    own_alias = imported.alias if alias is None else alias
    for target, confidence in candidates:
        yield ResolvedImport(target, confidence, own_names, own_alias, imported.line)


def _divided(candidates: Iterable[str], confidence: float) -> list[Candidate]:
    """Share a confidence among candidates; too many say nothing."""
    found = sorted(dict.fromkeys(candidates))
    return [(candidate, round(confidence / len(found), 4)) for candidate in found] if 0 < len(found) <= CANDIDATES_MAX else []


def _joined(path: str, module: str) -> str | None:
    """Return the path that a relative one means, None if it leaves the repository."""
    joined = posixpath.normpath(posixpath.join(path.rpartition("/")[0], module))
    return None if joined.startswith("..") else "" if joined == "." else joined


def _module_files(base: str) -> tuple[str, ...]:
    return (base + ".py", base + "/__init__.py", base + ".pyi", base + "/__init__.pyi", base + ".pyx")


def _module_ending(path: str) -> str:
    return "/__init__.py" if path.endswith("/__init__.py") else path[path.rindex(".") :]


def _is_within(path: str, folder: str) -> bool:
    return not folder or path.startswith(folder + "/")
