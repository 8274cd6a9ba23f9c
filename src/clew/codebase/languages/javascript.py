"""JavaScript, TypeScript and JSX: functions are values, so definitions are found where they are assigned and exported."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import cast

from tree_sitter import Node

from clew.codebase.facts import Import, SymbolKind
from clew.codebase.languages.description import (
    Definition,
    ImportLink,
    SourceFile,
    build_definition,
    build_import,
    find_child,
    get_table,
    get_text,
    load_language,
    normalize_bases,
    read_declared_types,
    split_words,
)
from clew.codebase.path_index import (
    LIKELY_MATCH,
    WEAK_MATCH,
    ImportCandidate,
    PathIndex,
    join_relative,
    only_candidate,
    share_confidence,
    single_candidate,
)

_FUNCTIONS = frozenset(("arrow_function", "function_expression", "generator_function"))
_ROUTES = frozenset(("get", "post", "put", "patch", "delete", "head", "options", "all", "use"))  # of routers: `app.get("/users", …)`
_TESTS = frozenset(("describe", "it", "test", "suite", "context", "specify", "bench", "fdescribe", "fit", "xit", "xdescribe"))
_EXPORTS = re.compile(r"^(?:module\.exports|exports|this|window|globalThis|self)(?:\.|$)")
_ENDINGS = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".vue", ".svelte")
_COMPILED = {".js": (".ts", ".tsx", ".d.ts"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
_ALIAS, _EXPORT, _EXTENDS = "tsconfig:", "exports:", "extends:"  # what roots that are no package's name begin with
_EXTENDS_MAX = 5  # configurations of which one extends the next; guess
_CONFIGS = ("app", "base", "build", "lib", "paths", "web")  # further tsconfig files that state `paths`
_BUNDLERS = ("vite", "vitest", "vue", "webpack", "rollup", "astro", "nuxt", "jest", "babel")
# `"@": path.resolve(__dirname, "./src")`, `find: "@", replacement: "/src"`, `"^@/(.*)$": "<rootDir>/src/$1"`
_BUNDLER_ALIAS = re.compile(
    r"[\"'^]([@~$#][\w@~$#/-]{0,60}?)(?:/\*|/\(\.\*\))?\$?[\"'](?:\s*:|,\s*replacement:)[^\n]{0,120}?[\"'](?:<rootDir>|\.)?/?([\w-][\w./-]{0,100}?)"
    r"(?:/\*|/\$1)?[\"'](?=[^\"'\n]*(?:\n|$))"
)
_COMMENT = re.compile(r"(\"(?:[^\"\\\n]|\\.)*\")|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_BUILTINS = split_words(
    "assert buffer child_process cluster console constants crypto dgram dns domain events fs http http2 https module net os path "
    "perf_hooks process punycode querystring readline repl stream string_decoder test timers tls tty url util v8 vm worker_threads "
    "zlib"
)


def _is_function(value: Node | None) -> bool:
    return value is not None and value.type in _FUNCTIONS


def _assigned(
    source: SourceFile, place: Node, value: Node | None, kind: SymbolKind, name: str, qualifier: str = ""
) -> Iterable[Definition]:
    """Return the function or the class that stands in an assignment; the assignment is its span."""
    if value is None:
        return ()
    is_class = value.type == "class"
    bases = _heritage(source, value) if is_class else ()
    found = build_definition(source, value, "class" if is_class else kind, name=name, bases=bases, qualifier=qualifier, place=place)
    for each in found:
        each.has_body = True
    return found


def _variables(source: SourceFile, node: Node, _kind: SymbolKind) -> Iterable[Definition]:
    declarators = [child for child in node.named_children if child.type == "variable_declarator"]
    for declarator in declarators:
        place = node if len(declarators) == 1 else declarator
        name, value = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
        if name is None or name.type != "identifier":
            continue
        if value is not None and (_is_function(value) or value.type == "class"):
            yield from _assigned(source, place, value, "function", source.node_text(name))
        elif not _is_require(source, value):
            is_constant = find_child(node, "const") is not None
            yield from build_definition(source, declarator, "constant" if is_constant else "variable", place=place)


def _is_require(source: SourceFile, value: Node | None) -> bool:
    if value is not None and value.type == "member_expression":
        value = value.child_by_field_name("object")
    return value is not None and value.type == "call_expression" and source.field_text(value, "function") == "require"


def _member(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    """Return a function that is the value of an object's key or of a class's field."""
    name = source.field_text(node, "key").strip("\"'") or source.field_text(node, "name") or source.field_text(node, "property")
    return _assigned(source, node, node.child_by_field_name("value"), kind, name)


def _statement(source: SourceFile, node: Node, _kind: SymbolKind) -> Iterable[Definition]:
    """Return `a.b = function …`, `it("…", …)`, or `app.get("/…", …)`."""
    inner = node.named_child(0)
    if inner.type == "call_expression":
        return _titled(source, node, inner)
    right = inner.child_by_field_name("right")
    if right is None or not (_is_function(right) or right.type == "class"):
        return ()
    path = source.field_text(inner, "left")
    kind: SymbolKind = "method" if ".prototype." in path or path.startswith("this.") else "function"
    qualifier, _, name = _EXPORTS.sub("", path).replace(".prototype.", ".").rpartition(".")
    return _assigned(source, node, right, kind, name or source.field_text(right, "name") or "exports", qualifier)


def _titled(source: SourceFile, node: Node, call: Node) -> Iterable[Definition]:
    """Return the function that a call is given behind a title: a test, or the handler of a route, called by its method and path."""
    arguments, called = call.child_by_field_name("arguments"), source.field_text(call, "function")
    if arguments is None:
        return ()
    title, verb = source.node_text(arguments.named_child(0)).strip("\"'`"), called.rpartition(".")[2]
    is_test = called.split(".", 1)[0] in _TESTS
    if not is_test and not ("." in called and verb in _ROUTES and title.startswith("/")):
        return ()
    handler = next((child for child in reversed(arguments.named_children) if _is_function(child)), None)
    body = handler.child_by_field_name("body") if handler is not None else None
    if handler is None or body is None:
        return ()
    name = title if is_test else source.field_text(handler, "name") or f"{verb} {title}"
    return build_definition(source, node, "test" if is_test else "function", name=name, body=body)


def _default_export(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    """Return `export default () => …`; one with a name of its own is captured by itself."""
    value = node.child_by_field_name("value")
    return _assigned(source, node, value, kind, source.field_text(value, "name") or "default") if value is not None else ()


def _heritage(source: SourceFile, node: Node) -> tuple[str, ...]:
    heritage = find_child(node, "class_heritage", "extends_type_clause")
    if heritage is None:
        return ()
    texts: list[str] = []
    for child in heritage.named_children:
        if child.type in ("extends_clause", "implements_clause"):
            texts += [source.node_text(name) for name in child.named_children if name.type not in ("type_arguments", "call_expression")]
        else:
            texts.append(source.node_text(child))
    return normalize_bases(text for text in texts if "(" not in text)


def _type(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    return build_definition(source, node, kind, bases=_heritage(source, node))


def _namespace(source: SourceFile, node: Node, kind: SymbolKind) -> Iterable[Definition]:
    return build_definition(source, node, kind, name=source.field_text(node, "name").strip("\"'"))


def _quoted(source: SourceFile, node: Node | None) -> str:
    return source.node_text(node).strip("\"'`")


def _imports(source: SourceFile, node: Node) -> Iterable[Import]:
    if node.type == "call_expression":
        return _required(source, node)
    module = node.child_by_field_name("source")
    names: list[tuple[str, str]] = []
    alias = ""
    for clause in node.named_children:
        if clause.type == "import_require_clause":
            module = clause.child_by_field_name("source")
            alias = source.node_text(clause.named_child(0))
        for part in clause.named_children if clause.type in ("import_clause", "export_clause") else [clause]:
            if part.type == "identifier" and clause.type == "import_clause":
                names.append(("default", source.node_text(part)))
            elif part.type in ("namespace_import", "namespace_export"):
                alias = source.node_text(part.named_child(0))
            elif part.type == "named_imports":
                names += [_specifier(source, specifier) for specifier in part.named_children if specifier.type == "import_specifier"]
            elif part.type == "export_specifier":
                names.append(_specifier(source, part))
    if node.type == "export_statement" and not names and not alias:
        names.append(("*", "*"))
    return _script_import(node, _quoted(source, module), names, alias)


def _script_import(node: Node, module: str, names: Iterable[tuple[str, str]], alias: str) -> Iterable[Import]:
    return build_import(node, module, names, alias, is_relative=module.startswith("."))


def _specifier(source: SourceFile, node: Node) -> tuple[str, str]:
    name = source.field_text(node, "name")
    return name, source.field_text(node, "alias") or name


def _required(source: SourceFile, node: Node) -> Iterable[Import]:
    """Return `require("x")` or `import("x")`, with the names that the declaration around it takes out."""
    arguments = node.child_by_field_name("arguments")
    module = _quoted(source, arguments.named_child(0) if arguments is not None else None)
    names: list[tuple[str, str]] = []
    alias = member = ""
    parent = node.parent
    if parent is not None and parent.type == "member_expression":
        member, parent = source.field_text(parent, "property"), parent.parent
    target = parent.child_by_field_name("name") if parent is not None and parent.type == "variable_declarator" else None
    if target is not None and target.type == "identifier":
        names, alias = ([(member, source.node_text(target))], "") if member else ([], source.node_text(target))
    elif target is not None and target.type == "object_pattern":
        names = [_taken(source, child) for child in target.named_children]
    return _script_import(node, module, names, alias)


def _taken(source: SourceFile, node: Node) -> tuple[str, str]:
    """Return (name there, name here) of one name in `const { a, b: c } = require(…)`."""
    if node.type == "pair_pattern":
        return source.field_text(node, "key"), source.field_text(node, "value")
    name = source.node_text(node).split("=", 1)[0].strip(" .")
    return name, name


def _resolve(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportCandidate]:
    module = imported.module.split("?", 1)[0]
    if imported.is_relative:
        base = join_relative(path, module)
        return single_candidate(_file(paths, base) if base is not None else None)
    if module.startswith("node:") or module.split("/", 1)[0] in _BUILTINS:
        return ()
    if stated := _aliased(paths, path, module) or _exported(paths, module):
        return single_candidate(stated)
    rooted = paths.find_root(module, "/")
    if rooted is not None:
        return single_candidate(_entry(paths, *rooted), LIKELY_MATCH)
    if module[:2] in ("@/", "~/", "#/") or ("/" in module and not module.startswith("@")):
        tail = module[2:] if module[1:2] == "/" else module
        endings = ("", *_ENDINGS, *("/index" + ending for ending in _ENDINGS))
        if matched := [candidate for ending in endings for candidate in paths.find_paths_ending(tail + ending)]:
            return share_confidence([candidate for candidate in matched if candidate.endswith(_ENDINGS)], LIKELY_MATCH)
    return _workspace_package(paths, module)


def _aliased(paths: PathIndex, path: str, module: str) -> str | None:
    """Return the file that `paths` of the nearest tsconfig.json, or of one that it extends, means by a module; None for none."""
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        stating: str | None = folder
        for _ in range(_EXTENDS_MAX):
            if stating is not None and (target := _stated(paths, f"{_ALIAS}{stating}:", module)) is not None:
                return _file(paths, target)
            stating = paths.roots.get(f"{_EXTENDS}{stating}")
    return None


def _stated(paths: PathIndex, scope: str, module: str) -> str | None:
    """Return the path that the aliases of one folder give a module: of the whole name, else of its longest beginning."""
    if (target := paths.roots.get(scope + module)) is not None:
        return target
    name = module
    while name := name.rpartition("/")[0]:
        if (target := paths.roots.get(f"{scope}{name}/")) is not None:
            return posixpath.join(target, module[len(name) + 1 :])
    return None


def _exported(paths: PathIndex, module: str) -> str | None:
    """Return the file that a package of the repository exports under a module's name, None for none."""
    if (target := paths.roots.get(_EXPORT + module)) is not None:
        return _file(paths, target)
    name = module
    while name := name.rpartition("/")[0]:
        if (target := paths.roots.get(f"{_EXPORT}{name}/*")) is not None:
            return _file(paths, target.replace("*", module[len(name) + 1 :], 1))
    return None


def _link(paths: PathIndex, path: str, imported: Import) -> Iterable[ImportLink]:
    target = only_candidate(_resolve(paths, path, imported))
    if target is None:
        return
    if imported.alias:
        yield imported.alias, (target,), ""
    for name, here in imported.names:
        yield here, (target,), "" if name == "*" else name


def _exports(source: SourceFile, node: Node) -> Iterable[tuple[str, str]]:
    """Read `export { a as b }`, `export default a`, `module.exports = a`, `exports.b = a` and `module.exports = { a, b: c }`."""
    if node.type == "export_specifier":
        name = source.field_text(node, "name")
        yield source.field_text(node, "alias") or name, name
        return
    if node.type == "export_statement":
        inner = node.child_by_field_name("declaration")
        inner = inner.child_by_field_name("name") if inner is not None else node.child_by_field_name("value")
        if inner is not None and inner.type in ("identifier", "type_identifier"):
            yield "default", source.node_text(inner)
        elif inner is not None:
            yield "default", source.field_text(inner, "name") or "default"
        return
    right = node.child_by_field_name("right")
    left = source.field_text(node, "left")
    while right is not None and right.type == "assignment_expression":
        left, right = left if left.startswith("module.exports") else source.field_text(right, "left"), right.child_by_field_name("right")
    if right is None or not left.startswith(("module.exports", "exports")):
        return
    name = _EXPORTS.sub("", left)
    if right.type == "identifier":
        yield name or "default", source.node_text(right)
    elif right.type in ("function_expression", "class") and not name:
        yield "default", source.field_text(right, "name") or "exports"
    elif right.type == "object" and not name:
        for child in right.named_children:
            if child.type == "shorthand_property_identifier":
                yield source.node_text(child), source.node_text(child)
            elif child.type == "pair" and (value := child.child_by_field_name("value")) is not None and value.type == "identifier":
                yield source.field_text(child, "key").strip("\"'"), source.node_text(value)


def _types(source: SourceFile, node: Node) -> Iterable[tuple[int, str, str]]:
    for place, name, path in read_declared_types(source, node):
        yield place, name, path
        if node.type == "required_parameter" and find_child(node, "accessibility_modifier", "override_modifier", "readonly") is not None:
            yield place, f"this.{name}", path


def _file(paths: PathIndex, base: str) -> str | None:
    stem, ending = posixpath.splitext(base)
    typed = [stem + other for other in _COMPILED.get(ending, ())]
    return paths.find_first(
        [base, *typed, *(base + other for other in _ENDINGS), *(posixpath.join(base, "index" + other) for other in _ENDINGS)]
    )


def _entry(paths: PathIndex, folder: str, rest: str) -> str | None:
    """Return the file that a package in a folder means by the rest of a module's path, "" for its entry."""
    return _file(paths, posixpath.join(folder, "src", rest or "index")) or _file(paths, posixpath.join(folder, rest or "index"))


def _workspace_package(paths: PathIndex, module: str) -> list[ImportCandidate]:
    """Return the entry of a package that lives in the same repository, found by its folder's name."""
    parts = module.split("/")
    name, rest = (parts[1:2] or [module], parts[2:]) if module.startswith("@") else (parts[:1], parts[1:])
    folders = [each for each in paths.folders_by_name.get(name[0], []) if posixpath.join(each, "package.json") in paths.paths]
    return share_confidence([entry for folder in folders if (entry := _entry(paths, folder, "/".join(rest)))], WEAK_MATCH)


def _package(folder: str, data: bytes) -> dict[str, str]:
    """Read the name of a package, the files that it exports, and the names that its own files import them by."""
    stated = json.loads(data)
    name = get_text(stated, "name")
    own = _aliases(folder, {key: _first_path(value) for key, value in get_table(stated, "imports").items()})
    if not name:
        return own
    entries = get_table(stated, "exports")
    if not any(key.startswith(".") for key in entries):
        entries = {".": stated.get("exports") or stated.get("main")}
    roots = {**own, name: folder}
    for key, value in entries.items():
        target = _first_path(value)
        if target:
            place = posixpath.normpath(posixpath.join(folder, target))
            roots[_EXPORT + posixpath.normpath(posixpath.join(name, key))] = place
    return roots


def _aliases(folder: str, stated: Mapping[str, str]) -> dict[str, str]:
    """Return the roots of names that stand for paths in the files below a folder: `#db` for a file, `@/*` or `std/` for what is in one."""
    roots: dict[str, str] = {}
    for name, target in stated.items():
        place = posixpath.normpath(posixpath.join(folder, target.partition("*")[0]))
        if target.startswith(".") and not place.startswith(".."):
            roots[f"{_ALIAS}{folder}:{name.removesuffix('*')}"] = "" if place == "." else place
    return roots


def _import_map(folder: str, data: bytes) -> dict[str, str]:
    """Read `imports` of a deno.json or an import map."""
    plain = _TRAILING_COMMA.sub(r"\1", _COMMENT.sub(lambda found: found.group(1) or "", data.decode("utf-8", "replace")))
    return _aliases(folder, {key: _first_path(value) for key, value in get_table(json.loads(plain), "imports").items()})


def _bundler(folder: str, data: bytes) -> dict[str, str]:
    """Read the aliases of a bundler's configuration, which is a program: a name beginning with a mark, and the last path of its line."""
    named = {name.rstrip("/"): f"./{path}" for name, path in _BUNDLER_ALIAS.findall(data.decode("utf-8", "replace"))}
    return _aliases(folder, named | {f"{name}/": path for name, path in named.items()})


def _svelte(folder: str, data: bytes) -> dict[str, str]:
    """Read the aliases of a svelte.config.js, among which `$lib` is one without being stated."""
    return _aliases(folder, {"$lib": "./src/lib", "$lib/": "./src/lib"}) | _bundler(folder, data)


def _first_path(value: object) -> str:
    """Return the path that an entry of `exports` states, of a table of conditions the first one that is a path."""
    if isinstance(value, str):
        return value
    inner: list[object] = list(cast("dict[str, object]", value).values()) if isinstance(value, dict) else []
    inner = cast("list[object]", value) if isinstance(value, list) else inner
    return next((found for each in inner if (found := _first_path(each))), "")


def _config(folder: str, data: bytes) -> dict[str, str]:
    """Read `compilerOptions.paths` of a tsconfig.json, which may hold comments and trailing commas."""
    plain = _TRAILING_COMMA.sub(r"\1", _COMMENT.sub(lambda found: found.group(1) or "", data.decode("utf-8", "replace")))
    stated = json.loads(plain)
    options = get_table(stated, "compilerOptions")
    base = posixpath.join(folder, get_text(options, "baseUrl"))
    roots: dict[str, str] = {}
    extended = _first_path(cast("dict[str, object]", stated).get("extends")) if isinstance(stated, dict) else ""
    if extended.startswith(".") and (place := posixpath.normpath(posixpath.join(folder, extended, ".."))) != folder:
        roots[f"{_EXTENDS}{folder}"] = "" if place == "." else place
    for name in get_table(options, "paths"):
        targets = get_table(options, "paths")[name]
        target = _first_path(targets)
        if name != "*" and target and name.endswith("/*") == target.endswith("/*"):
            place = posixpath.normpath(posixpath.join(base, target.removesuffix("*")))
            roots[f"{_ALIAS}{folder}:{name.removesuffix('*')}"] = "" if place == "." else place
    return roots


JAVASCRIPT = load_language(
    __file__,
    "javascript",
    definition_readers={
        **dict.fromkeys(split_words("class_declaration abstract_class_declaration interface_declaration"), _type),
        **dict.fromkeys(split_words("field_definition public_field_definition pair"), _member),
        **dict.fromkeys(split_words("lexical_declaration variable_declaration"), _variables),
        **dict.fromkeys(split_words("internal_module module"), _namespace),
        "expression_statement": _statement,
        "export_statement": _default_export,
    },
    read_imports=_imports,
    resolve_import=_resolve,
    manifest_readers={
        "package.json": _package,
        **dict.fromkeys(("jsconfig.json", "tsconfig.json", *(f"tsconfig.{name}.json" for name in _CONFIGS)), _config),
        **dict.fromkeys(("deno.json", "deno.jsonc", "import_map.json"), _import_map),
        **{f"{name}.config.{ending}": _bundler for name in _BUNDLERS for ending in ("js", "ts", "mjs", "cjs", "mts")},
        **dict.fromkeys(("svelte.config.js", "svelte.config.ts"), _svelte),
    },
    link_import=_link,
    read_exports=_exports,
    read_types=_types,
)

TYPESCRIPT = load_language(__file__, "typescript", like=JAVASCRIPT)

TSX = load_language(__file__, "tsx", like=TYPESCRIPT)
