"""Which file an import means, by the names of the files alone."""

from __future__ import annotations

import pytest

from clew.codebase.facts import Import
from clew.codebase.imports import read_manifest_roots, resolve_imports
from clew.codebase.parse import parse_file
from clew.codebase.path_index import CANDIDATES_MAX, PathIndex


def found(paths: list[str], path: str, source: str, roots: dict[str, str] | None = None) -> list[tuple[str, float]]:
    """Parse a source as the file `path` and return what its imports mean."""
    facts = parse_file(path, source.encode())
    return resolve_imports(PathIndex([*paths, path], roots), path, facts.language, facts.imports)


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("pkg/sub/a.py", "from .b import x", [("pkg/sub/b.py", 1.0)]),
        ("pkg/sub/a.py", "from . import b, c", [("pkg/sub/__init__.py", 1.0), ("pkg/sub/b.py", 1.0)]),
        ("pkg/sub/a.py", "from ..top import x", [("pkg/top.py", 1.0)]),
        ("pkg/sub/a.py", "from .. import top", [("pkg/top.py", 1.0)]),
        ("pkg/sub/a.py", "from ....nowhere import x", []),
        ("pkg/sub/a.py", "import pkg.top", [("pkg/top.py", 0.9)]),
        ("pkg/sub/a.py", "from pkg.sub import b, thing", [("pkg/sub/__init__.py", 0.9), ("pkg/sub/b.py", 0.9)]),
        ("pkg/sub/a.py", "from pkg.sub import *", [("pkg/sub/__init__.py", 0.9)]),
        ("tests/test_a.py", "from other.deep import x", [("src/other/deep.py", 0.9)]),
        ("tests/test_a.py", "import json, os.path, types", []),
        ("scripts/run.py", "import helper", [("scripts/helper.py", 0.9)]),
        ("pkg/sub/a.py", "import b", [("pkg/sub/b.py", 0.6)]),
        ("pkg/sub/a.py", "import numpy", []),
    ],
)
def test_python(path: str, source: str, expected: list[tuple[str, float]]) -> None:
    """Relative imports are certain; absolute ones are looked for below roots; the standard library is not shadowed by accident."""
    paths = [
        "pkg/__init__.py",
        "pkg/top.py",
        "pkg/types.py",
        "pkg/sub/__init__.py",
        "pkg/sub/a.py",
        "pkg/sub/b.py",
        "src/other/__init__.py",
        "src/other/deep.py",
        "scripts/helper.py",
        "scripts/json.py",
    ]
    assert found(paths, path, source) == sorted(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a from './util'", [("web/src/util.ts", 1.0)]),
        ("import a from './util.js'", [("web/src/util.ts", 1.0)]),
        ("import a from './parts'", [("web/src/parts/index.tsx", 1.0)]),
        ("export * from '../data.json'", [("web/data.json", 1.0)]),
        ("import a from '@/parts/button'", [("web/src/parts/button.tsx", 0.9)]),
        ("import a from 'parts/button'", [("web/src/parts/button.tsx", 0.9)]),
        ("import a from 'path'; import b from 'node:fs'; import c from 'react'", []),
        ("import a from '@scope/kit'", [("packages/kit/src/index.ts", 0.6)]),
        ("import a from '../../../out'", []),
    ],
)
def test_scripts(source: str, expected: list[tuple[str, float]]) -> None:
    """Endings and index files are tried as bundlers do; packages of the same repository are found by their folder."""
    paths = [
        "web/src/util.ts",
        "web/src/parts/index.tsx",
        "web/src/parts/button.tsx",
        "web/data.json",
        "packages/kit/package.json",
        "packages/kit/src/index.ts",
        "web/path/package.json",
        "web/path/index.ts",
    ]
    assert found(paths, "web/src/app.ts", source) == sorted(expected)


def test_a_package_is_found_by_the_name_in_its_manifest() -> None:
    """Tests of a library import it by name."""
    roots = read_manifest_roots("package.json", b'{"name": "kit"}')

    assert roots == {"kit": ""}
    assert found(["src/store.ts", "src/index.ts"], "tests/a.ts", "import 'kit/store'; import 'kit'", roots) == [
        ("src/index.ts", 0.9),
        ("src/store.ts", 0.9),
    ]


def test_an_alias_of_a_whole_name_stands_beside_one_of_its_beginning_and_may_come_from_an_extended_configuration() -> None:
    base = b'{ "compilerOptions": { "paths": { "@lib/util": ["./util/index.ts"], "@lib/util/*": ["./util/lib/*"] } } }'
    roots = read_manifest_roots("config/tsconfig.json", base) | read_manifest_roots(
        "web/tsconfig.json", b'{ "extends": "../config/tsconfig.json" }'
    )
    paths = ["config/util/index.ts", "config/util/lib/deep.ts", "web/a.ts"]

    assert found(paths, "web/a.ts", "import '@lib/util'; import '@lib/util/deep'", roots) == [
        ("config/util/index.ts", 1.0),
        ("config/util/lib/deep.ts", 1.0),
    ]


WRITTEN = [
    "lib/src/money.dart", "lib/money.sh", "lib/money.lua", "styles/_vars.scss", "js/app.js", "a/Money.scala", "modules/net/main.tf",
    "api/money.proto", "src/alloc.zig", "mk/rules.mk", "Data/Money.hs", "lib/Shop/Money.pm",
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("lib/api/a.dart", "import '../src/money.dart';\n", "lib/src/money.dart"),
        ("lib/api/a.dart", "import 'package:shop/src/money.dart';\n", "lib/src/money.dart"),
        ("bin/a.sh", "source ../lib/money.sh\n", "lib/money.sh"),
        ("bin/a.sh", '. "$(dirname "$0")/../lib/money.sh"\n', "lib/money.sh"),
        ("app/a.lua", "local money = require('lib.money')\n", "lib/money.lua"),
        ("app/main.scss", "@use '../styles/vars';\n", "styles/_vars.scss"),
        ("index.html", '<script defer src="js/app.js"></script>\n', "js/app.js"),
        ("b/C.scala", "import a.Money\n", "a/Money.scala"),
        ("b/C.scala", "import a.Money.halfEven\n", "a/Money.scala"),
        ("live/main.tf", 'module "net" {\n  source = "../modules/net"\n}\n', "modules/net/main.tf"),
        ("svc/order.proto", 'import "api/money.proto";\n', "api/money.proto"),
        ("src/a.zig", 'const alloc = @import("alloc.zig");\n', "src/alloc.zig"),
        ("mk/a.mk", "include rules.mk\n", "mk/rules.mk"),
        ("Main.hs", "import qualified Data.Money as M\n", "Data/Money.hs"),
        ("bin/a.pl", "use Shop::Money;\n", "lib/Shop/Money.pm"),
    ],
)
def test_a_file_that_is_named_by_its_path_is_imported(path: str, source: str, expected: str) -> None:
    assert [target for target, _ in found(WRITTEN, path, source)] == [expected]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("lib/a.dart", "import 'dart:io';\n"), ("bin/a.sh", "source ~/.profile\n"), ("index.html", '<script src="https://x.org/js/app.js">'),
        ("b/C.scala", "import scala.collection.mutable\n"), ("live/main.tf", 'module "net" { source = "hashicorp/net" }\n'),
    ],
)  # fmt: skip
def test_what_is_elsewhere_is_imported_from_nowhere(path: str, source: str) -> None:
    assert found(WRITTEN, path, source) == []


@pytest.mark.parametrize(
    ("manifest", "text", "module", "expected"),
    [
        ("web/package.json", '{"imports": {"#db": "./src/db.js", "#in/*": "./src/in/*.js"}}', "#db", "web/src/db.js"),
        ("web/package.json", '{"imports": {"#db": "./src/db.js", "#in/*": "./src/in/*.js"}}', "#in/log", "web/src/in/log.js"),
        ("web/deno.json", '{"imports": {"@lib": "./src/db.js", "in/": "./src/in/"}, }', "in/log.js", "web/src/in/log.js"),
        ("web/vite.config.ts", "alias: {\n  '@': fileURLToPath(new URL('./src', import.meta.url)),\n}", "@/db", "web/src/db.js"),
        ("web/vite.config.js", 'resolve: { alias: { "@": path.resolve(__dirname, "./src") } }', "@/in/log", "web/src/in/log.js"),
        ("web/jest.config.js", "moduleNameMapper: { '^~/(.*)$': '<rootDir>/src/$1' }", "~/db", "web/src/db.js"),
        ("web/svelte.config.js", "export default {}", "$lib/in", "web/src/lib/in.ts"),
    ],
)
@pytest.mark.parametrize("path", ["web/src/main.ts", "web/src/Main.vue"])
def test_an_alias_of_a_manifest_stands_for_its_path(manifest: str, text: str, module: str, expected: str, path: str) -> None:
    source = f'import {{ a }} from "{module}";\n'
    paths = [manifest, "web/src/db.js", "web/src/in/log.js", "web/src/lib/in.ts", "other/src/db.js", "other/in/log.js"]
    roots = read_manifest_roots(manifest, text.encode())

    assert found(paths, path, f"<script>\n{source}</script>\n" if path.endswith("vue") else source, roots) == [(expected, 1.0)]


def test_go_packages_are_folders() -> None:
    """All files of the package are meant; the standard library and tests are not."""
    paths = ["go.mod", "main.go", "internal/tree/a.go", "internal/tree/b.go", "internal/tree/a_test.go", "fmt/x.go"]
    source = 'package cmd\nimport (\n"fmt"\n"example.org/x/internal/tree"\n"example.org/x"\n)'

    assert found(paths, "cmd/run.go", source) == [("internal/tree/a.go", 0.9), ("internal/tree/b.go", 0.9)]
    assert found(paths, "cmd/run.go", source, read_manifest_roots("go.mod", b"module example.org/x\n\ngo 1.22\n")) == [
        ("internal/tree/a.go", 1.0),
        ("internal/tree/b.go", 1.0),
        ("main.go", 1.0),
    ]


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("src/lib.rs", "mod parts; mod engine;", [("src/parts.rs", 1.0), ("src/engine/mod.rs", 1.0)]),
        ("src/engine/mod.rs", "mod piston;", [("src/engine/piston.rs", 1.0)]),
        ("src/parts.rs", "use crate::engine::piston::{Ring, Rod};", [("src/engine/piston.rs", 1.0)]),
        ("src/parts.rs", "use super::engine::Engine;", [("src/engine/mod.rs", 1.0)]),
        ("src/engine/piston.rs", "use crate::parts;", [("src/parts.rs", 1.0)]),
        ("src/parts.rs", "use std::fmt; use serde::Serialize;", []),
        ("src/parts.rs", "use other_crate::thing::T;", [("crates/other-crate/src/thing.rs", 0.6)]),
    ],
)
def test_rust(path: str, source: str, expected: list[tuple[str, float]]) -> None:
    """The longest part of a path that is a file; `crate` is the nearest root."""
    paths = ["src/lib.rs", "src/parts.rs", "src/engine/mod.rs", "src/engine/piston.rs"]
    paths += ["crates/other-crate/src/lib.rs", "crates/other-crate/src/thing.rs"]

    assert found(paths, path, source) == sorted(expected)


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("A.java", "import com.x.Cart;", [("src/main/java/com/x/Cart.java", 0.9)]),
        ("A.java", "import static com.x.Cart.add;", [("src/main/java/com/x/Cart.java", 0.9)]),
        ("A.java", "import com.x.*;", [("src/main/java/com/x/Cart.java", 0.6), ("src/main/java/com/x/Tools.kt", 0.6)]),
        ("A.kt", "import com.x.helper", [("src/main/java/com/x/Tools.kt", 0.9)]),
        ("A.java", "import java.util.List;", []),
        ("A.cs", "using Shop.Core;", [("src/Shop/Core/Item.cs", 0.6)]),
        ("A.cs", "using It = Shop.Core.Item;", [("src/Shop/Core/Item.cs", 0.9)]),
        ("A.cs", "using System.Text;", []),
        ("A.php", "<?php use App\\Cart\\Line;", [("src/Cart/Line.php", 0.9)]),
        ("src/A.php", "<?php require __DIR__ . '/Cart/Line.php';", [("src/Cart/Line.php", 1.0)]),
        ("A.rb", "require_relative 'lib/tools/json'", [("lib/tools/json.rb", 1.0)]),
        ("A.rb", "require 'tools/json'", [("lib/tools/json.rb", 0.9)]),
        ("A.rb", "require 'json'", []),
        ("src/a.c", '#include "net.h"\n#include <stdio.h>\n', [("src/net.h", 1.0)]),
        ("src/a.c", '#include "lib/io.h"\n', [("include/lib/io.h", 0.9)]),
        ("src/a.c", "#include <lib/io.h>\n", [("include/lib/io.h", 0.9)]),
        ("other/a.c", '#include "net.h"\n', [("lib/net.h", 0.45), ("src/net.h", 0.45)]),
    ],
)
def test_namespaces_and_includes(path: str, source: str, expected: list[tuple[str, float]]) -> None:
    """A namespace is matched with the end of a folder; what could be several files is shared among them."""
    paths = [
        "src/main/java/com/x/Cart.java",
        "src/main/java/com/x/Tools.kt",
        "src/Shop/Core/Item.cs",
        "src/Cart/Line.php",
        "lib/tools/json.rb",
        "src/net.h",
        "lib/net.h",
        "include/lib/io.h",
    ]
    assert found(paths, path, source) == sorted(expected)


def test_composer_maps_namespaces_to_folders() -> None:
    roots = read_manifest_roots("composer.json", rb'{"autoload": {"psr-4": {"Shop\\": "src/"}}}')

    assert found(["src/Line.php", "lib/Line.php"], "A.php", "<?php use Shop\\Line;", roots) == [("src/Line.php", 1.0)]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"name": 1}', b"\xff", b"[" * 100_000, b'{"autoload": {"psr-4": []}}'])
@pytest.mark.parametrize("name", ["go.mod", "package.json", "deno.json", "Cargo.toml", "composer.json", "other.txt"])
def test_a_broken_manifest_names_nothing(name: str, data: bytes) -> None:
    assert read_manifest_roots(f"deep/{name}", data) == {}


def test_too_many_candidates_say_nothing() -> None:
    """An include that ends like nine files means none of them."""
    names = [f"d{number}/x/util.h" for number in range(CANDIDATES_MAX + 1)]
    imported = Import("util.h", (("*", "*"),), "", 1, is_relative=True)

    assert resolve_imports(PathIndex(names), "a.c", "c", [imported]) == []
    assert len(resolve_imports(PathIndex(names[:-1]), "a.c", "c", [imported])) == CANDIDATES_MAX


def test_the_order_of_paths_does_not_matter() -> None:
    paths = ["b/x/util.py", "a/x/util.py", "c.py", "a/x/__init__.py", "b/x/__init__.py"]
    imported = Import("x.util", (), "x.util", 1, is_relative=False)

    assert resolve_imports(PathIndex(paths), "c.py", "python", [imported]) == resolve_imports(
        PathIndex(paths[::-1]), "c.py", "python", [imported]
    )
    assert [target for target, _ in resolve_imports(PathIndex(paths), "c.py", "python", [imported])] == ["a/x/util.py", "b/x/util.py"]
