"""What a file is for is read off its path and off what stands in it: a name alone makes no test of code."""

from __future__ import annotations

import pytest

from clew.codebase.file_records import build_file_delta
from clew.codebase.parse import parse_file
from clew.codebase.roles import role_of
from clew.text.postings import Role, unpack_postings

CHECK = b"""
import { expect } from "vitest";
it("opens the valve", () => { expect(open(valve)).toBe(true); });
"""
PLAIN = b"export function open(valve: string) { return valve; }\n"


def role(path: str, data: bytes) -> Role:
    return role_of(path, parse_file(path, data))


@pytest.mark.parametrize(
    "path",
    [
        "valve/tests.py",
        "src/Valves.Tests/ValveChecks.cs",
        "app/src/androidTest/java/ValveTest.java",
        "web/e2e/valve.ts",
        "web/__mocks__/valve.ts",
        "pkg/valve_test.go",
        "src/valve.spec.ts",
        "web/valve.cy.js",
        "integration_tests/valve.rs",
    ],
)
def test_tests_are_found_by_their_path(path: str) -> None:
    assert role(path, PLAIN) is Role.TEST


@pytest.mark.parametrize("path", ["compiler/src/spec/valve.ts", "core/testing/clock.ts", "src/fixtures/valve.ts", "src/latest/valve.ts"])
def test_a_doubtful_folder_makes_a_test_only_of_what_checks_something(path: str) -> None:
    assert role(path, PLAIN) is Role.SOURCE
    assert role(path, CHECK) is (Role.SOURCE if "latest" in path else Role.TEST)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("examples/valve.ts", Role.DEMO),
        ("docs_src/valve.ts", Role.DEMO),
        ("src/valve.stories.tsx", Role.DEMO),
        ("benches/valve.ts", Role.BENCHMARK),
        ("types/valve.d.ts", Role.DECLARATION),
        ("vite.config.ts", Role.CONFIGURATION),
        ("vendor/valve.ts", Role.GENERATED),
        ("src/valve.ts", Role.SOURCE),
    ],
)
def test_other_code_has_its_role(path: str, expected: Role) -> None:
    assert role(path, PLAIN) is expected


def test_documents_and_configuration_are_told_from_code_without_a_grammar() -> None:
    assert role("README.md", b"# Valves\n\nOpen them.\n") is Role.DOCUMENT
    assert role("valves.yaml", b"valves:\n  open: true\n") is Role.CONFIGURATION
    assert role("src/valves.py", b"from valve import open\n") is Role.SOURCE
    assert role("src/valve.erl", b"-module(valve).\nopen(V) -> V.\n") is Role.SOURCE


def test_tests_inside_a_source_file_are_tests() -> None:
    data = b"pub fn open(v: u32) -> u32 { v }\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn opens() { check(super::open(1)); }\n}\n"
    facts = parse_file("src/lib.rs", data)
    segment = unpack_postings(build_file_delta("src/lib.rs", data, facts, (), size=len(data), stamp=0).segment)
    roles = dict(zip((symbol.qualname for symbol in facts.symbols), segment.role.tolist(), strict=True))
    assert roles["open"] == Role.SOURCE
    assert roles["tests"] == roles["tests.opens"] == Role.TEST
