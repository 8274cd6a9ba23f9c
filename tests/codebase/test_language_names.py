"""Which language a file is in."""

from __future__ import annotations

import pytest

from clew.codebase.languages import detect_language


@pytest.mark.parametrize(
    ("path", "head", "expected"),
    [
        ("a/b.py", b"", "python"),
        ("A.PY", b"", "python"),
        ("x.d.ts", b"", "typescript"),
        ("x.tsx", b"", "tsx"),
        ("x.jsx", b"", "javascript"),
        ("x.h", b"int f(void);\n", "c"),
        ("x.h", b"#pragma once\nnamespace a {\n", "cpp"),
        ("x.h", b"#include <vector>\n", "cpp"),
        ("x.h", b"", "c"),
        ("Dockerfile", b"", "dockerfile"),
        ("docker/Dockerfile.dev", b"", "dockerfile"),
        ("GNUmakefile", b"", "makefile"),
        ("CMakeLists.txt", b"", "cmake"),
        (".env", b"", "env"),
        (".env.local", b"", "env"),
        ("prod.env", b"", "env"),
        ("Gemfile", b"", "ruby"),
        ("run", b"#!/usr/bin/env python3\n", "python"),
        ("run", b"#!/usr/bin/env -S node --flag\n", "javascript"),
        ("run", b"#!/bin/bash -e\n", "shell"),
        ("run", b"#! /usr/bin/ruby2.7\n", "ruby"),
        ("run", b"#!/usr/bin/env\n", None),
        ("run", b"plain", None),
        ("x.unknown", b"", None),
        (".gitignore", b"", None),
        ("", b"", None),
    ],
)
def test_name_then_first_line(path: str, head: bytes, expected: str | None) -> None:
    assert detect_language(path, head) == expected
