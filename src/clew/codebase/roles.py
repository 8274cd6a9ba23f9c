"""Roles: what is a file for? Source, test, demo, benchmark, declarations, document, configuration, or made by a program.

Read off a file's path and off what stands in it. A folder or a name that other code bears as well (`spec`, `testing`, `fixtures`) makes a
test only of a file that checks something. What each role counts in a ranking is fitted (`train.weights`), and not said here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from clew.codebase.facts import FUNCTION_KINDS, FileFacts, Symbol
from clew.codebase.languages import LANGUAGES
from clew.text.postings import Role
from clew.text.words import split_name

# Parts of folders' names. Each says it alone, wherever it stands in the path.
_TEST_FOLDERS = frozenset(
    ("test", "tests", "e2e", "mocks", "mock", "testdata", "testsuite", "testcases", "unittests", "androidtest", "cypress")
)
# Each of these says it of a file that checks something: code under test bears the names too.
_DOUBTFUL_FOLDERS = frozenset(("spec", "specs", "testing", "fixture", "fixtures", "integration", "fakes", "stubs", "snapshots"))
_DEMO_FOLDERS = frozenset((
    "example", "examples", "demo", "demos", "sample", "samples", "playground", "playgrounds", "tutorial", "tutorials", "cookbook",
    "showcase", "sandbox",
))  # fmt: skip
_BENCHMARK_FOLDERS = frozenset(("bench", "benches", "benchmark", "benchmarks", "perf"))
_DOCUMENT_FOLDERS = frozenset(("doc", "docs", "documentation"))
_GENERATED_FOLDERS = frozenset(("dist", "vendor", "third_party", "thirdparty", "node_modules"))
_DOCUMENT_FORMATS = frozenset(("markdown", "rst", "asciidoc", "html", "xml", "text", ""))
_DECLARATIONS = (".d.ts", ".d.mts", ".d.cts", ".pyi")
_GENERATED_NAMES = re.compile(r"(?:\.pb(?:\.gw)?\.go|_pb2(?:_grpc)?\.pyi?|\.g\.dart|\.generated\.\w+|\.designer\.cs|\.min\.(?:js|css))$")
# Languages of code that no grammar here reads: their blocks of lines are code.
_CODE_SUFFIXES = frozenset((
    "bash", "sh", "zsh", "fish", "ps1", "bat", "awk", "pl", "pm", "t", "lua", "ex", "exs", "erl", "hrl", "scala", "sc", "sbt", "clj",
    "cljs", "cljc", "hs", "lhs", "ml", "mli", "fs", "fsx", "fsi", "elm", "purs", "nim", "zig", "dart", "jl", "r", "cr", "d", "pas",
    "pp", "f90", "f95", "for", "m", "mm", "v", "sv", "vhd", "vhdl", "sol", "vue", "svelte", "astro", "groovy", "gradle", "tf", "hcl",
    "sql", "proto", "graphql", "gql", "vim", "el", "lisp", "scm", "rkt", "asm", "s", "cu", "glsl", "wgsl", "metal", "thrift", "idl",
    "as", "coffee", "ls", "re", "res", "vb", "ada", "adb", "ads", "tcl", "cmake", "nix", "mojo", "gleam", "odin", "hx", "vala", "php",
    "phtml", "erb", "haml", "slim", "ejs",
))  # fmt: skip
_CHECKS = re.compile(r"assert|expect|should|verify|require", re.IGNORECASE)  # a called name that begins so checks something
_FRAMEWORKS = frozenset((
    "pytest", "unittest", "testing", "junit", "jest", "vitest", "mocha", "chai", "rspec", "minitest", "xunit", "nunit", "xctest",
    "scalatest", "phpunit", "playwright", "cypress", "testify", "hypothesis", "catch2", "gtest", "doctest", "munit", "kotest",
    "mockito", "ava", "tap",
))  # fmt: skip
_CHECKS_MIN = 2
_ATTRIBUTE_BYTES = 24  # above a symbol that are looked through for an attribute which does not belong to its span


def role_of(path: str, facts: FileFacts) -> Role:
    """Return what a file is for, by its path and by what was parsed from it."""
    pure = PurePosixPath(path)
    name = pure.name
    lowered = name.lower()
    folders = [frozenset(split_name(part)) | {part.lower().strip("_.")} for part in pure.parent.parts]
    if any(_GENERATED_FOLDERS & parts for parts in folders) or _GENERATED_NAMES.search(lowered):
        return Role.GENERATED
    if is_test_path(path) or _is_doubtful_name(name, facts):
        return Role.TEST
    is_doubtful = any(_DOUBTFUL_FOLDERS & parts for parts in folders)
    if is_doubtful and (_checks_something(facts) or not _is_code(facts)):
        return Role.TEST
    if not is_code_file(path, facts):
        return Role.DOCUMENT if facts.language in _DOCUMENT_FORMATS else Role.CONFIGURATION
    if any(_BENCHMARK_FOLDERS & parts for parts in folders) or {"bench", "benchmark"} & set(split_name(lowered.split(".")[0])):
        return Role.BENCHMARK
    is_shown = {"stories", "story", "demo", "example"} & set(lowered.split(".")[1:-1])
    if is_shown or any((_DEMO_FOLDERS | _DOCUMENT_FOLDERS) & parts for parts in folders):
        return Role.DEMO
    if lowered.endswith(_DECLARATIONS):
        return Role.DECLARATION
    if ".config." in lowered or (lowered.startswith(".") and _is_code(facts)):
        return Role.CONFIGURATION
    return Role.SOURCE


def is_test_path(path: str) -> bool:
    """Return whether a path alone says that a file is a test or belongs to one: by its folders, or by the file's name."""
    pure = PurePosixPath(path)
    stem, *marks = pure.name.lower().split(".")
    if {"test", "tests", "spec", "cy"} & set(marks[:-1]) or stem in {"tests", "conftest"} or stem.endswith(("_test", "_tests", "_spec")):
        return True
    if stem.startswith("test_") and pure.suffix == ".py":
        return True
    return any(_TEST_FOLDERS & {*split_name(part), part.lower().strip("_.")} for part in pure.parent.parts)


def is_code_file(path: str, facts: FileFacts) -> bool:
    """Return whether a file is code: it has definitions, or is in a language of code that no grammar here reads."""
    return facts.language in LANGUAGES or _is_code(facts) or path.rpartition(".")[2].lower() in _CODE_SUFFIXES


def find_inline_tests(symbols: Sequence[Symbol], data: bytes) -> frozenset[int]:
    """Return the positions of symbols that are tests in a file of another role: Rust's `#[cfg(test)]` modules and `#[test]` functions."""
    found: set[int] = set()
    for at, symbol in enumerate(symbols):
        above = data[max(0, symbol.start - _ATTRIBUTE_BYTES) : symbol.signature_start]
        if symbol.parent in found or b"cfg(test)" in above or b"#[test]" in above:
            found.add(at)
    return frozenset(found)


def _is_code(facts: FileFacts) -> bool:
    return any(symbol.kind not in {"module", "section", "config", "text"} for symbol in facts.symbols)


def _is_doubtful_name(name: str, facts: FileFacts) -> bool:
    """Whether a file's name says that it is a test, as the names of code under test do as well, and it checks something."""
    stem = name.partition(".")[0]
    is_named = stem.lower().startswith("test_") or (stem.endswith(("Test", "Tests", "TestCase", "Spec")) and len(split_name(stem)) > 1)
    return is_named and (facts.language == "python" or _checks_something(facts))


def _checks_something(facts: FileFacts) -> bool:
    """Whether a file imports a framework for tests, has test functions, or calls what checks."""
    if any(_FRAMEWORKS & set(split_name(each.module)) for each in facts.imports):
        return True
    if any(each.kind == "test" or (each.kind in FUNCTION_KINDS and each.name.lower().startswith("test")) for each in facts.symbols):
        return True
    calls = (times for each in facts.symbols for name, _, times in each.calls if _CHECKS.match(name))
    return sum(calls) >= _CHECKS_MIN
