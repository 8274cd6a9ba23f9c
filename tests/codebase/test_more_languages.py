"""Languages that are a table and a query alone, macros of C, and files that hold several languages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clew.codebase.facts import FileFacts
from clew.codebase.parse import parse_file
from clew.codebase.parts import write_out_cells
from tests.codebase.samples import DART, ELIXIR, LUA, MAKE, SCALA, SHELL, SQL, TERRAFORM, ZIG

Read = Callable[[str, str | bytes], FileFacts]
PROTO = """syntax = "proto3";
message Bill {
  message Line { string text = 1; }
}
service Bills {
  rpc Settle(Bill) returns (Bill);
}
"""
GRAPHQL = "scalar Money\ntype Bill { total: Money }\nextend type Query { bills: [Bill] }\ndirective @masked on FIELD\n"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a.sh", SHELL, ["PREFIX", "roll_back", "drain"]),
        ("a.lua", LUA, ["Player", "Player.hit", "Player.heal", "clamp"]),
        ("a.ex", ELIXIR, ["Shop.Queue", "Shop.Queue.push", "Shop.Queue.trim"]),
        ("a.scala", SCALA, ["Ledger", "Ledger.settle", "Ledger.Posting", "Audited", "Audited.log"]),
        ("a.dart", DART, ["Page", "Page.build", "sum"]),
        ("a.zig", ZIG, ["Point", "Point.len", "make"]),
        ("a.tf", TERRAFORM, ["region", "locals", "aws_s3_bucket.audit"]),
        ("a.sql", SQL, ["bills", "bills_due", "overdue", "tenants"]),
        (
            "b.sql",
            "CREATE SEQUENCE numbers START 7;\nCREATE PROCEDURE settle(x int) LANGUAGE SQL AS $$ SELECT 1 $$;\n",
            ["numbers", "settle"],
        ),
        ("b.ex", "defmodule A do\n  @callback ask(integer) :: :ok\n  def say(x), do: x\nend\n", ["A", "A.ask", "A.say"]),
        ("Makefile", MAKE, ["IMAGE", "release", "build"]),
        ("a.proto", PROTO, ["Bill", "Bill.Line", "Bills", "Bills.Settle"]),
        ("a.graphql", GRAPHQL, ["Money", "Bill", "Query", "masked"]),
    ],
)
def test_what_is_defined_is_named_after_itself(read: Read, path: str, text: str, expected: list[str]) -> None:
    facts = read(path, text)

    assert [symbol.qualname for symbol in facts.symbols[1:]] == expected
    assert facts.is_whole


def test_the_handler_of_a_route_is_a_function_called_by_its_name_or_its_route(read: Read) -> None:
    """So that the string of a route finds what answers it."""
    text = (
        'app.get("/users", check, async function listUsers(req, res) { res.send(1); });\n'
        'router.post("/users/:id", (req) => req);\ncache.get("users", f);\n'
    )

    found = [(symbol.kind, symbol.name) for symbol in read("server.js", text).symbols[1:]]

    assert found == [("function", "listUsers"), ("function", "post /users/:id")]


def test_docs_calls_and_bases_are_read_without_functions(read: Read) -> None:
    shell, scala, lua = read("a.sh", SHELL), read("a.scala", SCALA), read("a.lua", LUA)

    assert shell.symbols[2].docstring == "Puts the old release back."
    assert ("roll_back", "", 1) in shell.symbols[3].calls
    assert scala.symbols[1].bases == ("Book", "Audited")
    assert lua.symbols[2].docstring == "Takes life away."


WIDGET = """#include "Base.h"
class ENGINE_API Widget : public Base
{
    GENERATED_BODY()
public:
    UFUNCTION(BlueprintCallable)
    void Damp(float amount);
    ENGINE_API virtual int Count() const { return n; }
};
"""
MACROS = """#define HANDLER(name) static int name(struct req *r)
FOO(alpha)
HANDLER(on_connect)
{
    return r->fd;
}
SYSCALL_DEFINE3(readbytes, unsigned int, fd, size_t, count)
{
    return do_read(fd, count);
}
EXPORT int __attribute__((hot)) plain_after(int x)
{
    return x;
}
"""
OUTSIDE_OF_CLASS = """namespace box {
template <typename Mutex>
BOX_INLINE keeper<Mutex>::keeper(int size, const std::string &name)
    : size_(size), name_(name) {
    if (size == 0) fail("no size");
}
BOX_INLINE keeper<Mutex>::~keeper() BOX_NOEXCEPT {
    BOX_TRY {
        flush();
    }
    BOX_CATCH_ALL
}
BOX_INLINE std::shared_ptr<int> keeper<Mutex>::get(int at) const BOX_NOEXCEPT { return at; }
BOX_INLINE keeper<Mutex> &keeper<Mutex>::operator=(keeper other) BOX_NOEXCEPT { return *this; }
void BOX_INLINE keeper<Mutex>::close() {}
}
"""
BRANCHES = """#ifdef FAST
int dot(int a, int b) {
#else
int dot(int a, int b, int c) {
#endif
    return a * b;
}
int after(int z) { return z + 1; }
"""


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("w.h", WIDGET, ["Widget", "Widget.Damp", "Widget.Count"]),
        ("m.c", MACROS, ["HANDLER", "on_connect", "readbytes", "plain_after"]),
        ("b.c", BRANCHES, ["dot", "after"]),
        ("o.hpp", OUTSIDE_OF_CLASS, ["box", *(f"box.keeper.{name}" for name in ("keeper", "~keeper", "get", "operator=", "close"))]),
        ("d.h", "#define ALL(x) REST\n#define REST 1\n", ["ALL", "REST"]),
        (
            "e.c",
            "#if A\nint dot(int x) {\n#elif B\nint dot(int x, int y) {\n#else\nint dot() {\n#endif\n return 1;\n}\nint after() {}\n",
            ["dot", "after"],
        ),
        ("k.cpp", "void first(){\n   {\n      ADD ADD ADD\n   }\n   b = a;\n}\nvoid last(){\n   b = a;\n}\n", ["first", "last"]),
        ("t.c", "HRESULT Open(int a)\n{\n    return a;\n}\n", ["Open"]),
    ],
)
def test_a_macro_invents_no_name_and_hides_none(path: str, text: str, expected: list[str]) -> None:
    assert [symbol.qualname for symbol in parse_file(path, text.encode()).symbols[1:]] == expected


def test_a_class_behind_a_macro_keeps_its_base() -> None:
    assert parse_file("w.h", WIDGET.encode()).symbols[1].bases == ("Base",)


VUE = """<script setup lang="ts">
import { ref } from "vue";
export function greet(name: string) { return name; }
</script>

<template>
  <div><template v-if="a">hi</template></div>
</template>

<style scoped>
.big { color: red; }
</style>
"""


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a.vue", VUE, [("greet", 3, 3), ("template", 6, 8), ("style", 10, 12)]),
        ("a.svelte", "<script>\n  function hi() { return 1; }\n</script>\n<h1>x</h1>\n", [("hi", 2, 2), ("template", 4, 4)]),
        ("a.astro", "---\nfunction make() { return 1; }\n---\n<h1>x</h1>\n", [("make", 2, 2), ("template", 4, 4)]),
        ("b.vue", "<template>\n  <p>never closed\n", [("template", 1, 2)]),
    ],
)
def test_a_file_of_several_languages_is_its_parts(read: Read, path: str, text: str, expected: list[tuple[str, int, int]]) -> None:
    facts = read(path, text)

    assert [(symbol.name, symbol.start_line, symbol.end_line) for symbol in facts.symbols[1:]] == expected


def test_a_long_template_hides_no_function_of_its_script(read: Read) -> None:
    """What stands around a script is blank to its grammar, however long it is."""
    text = VUE.replace("<div>", "<div>" + '<svg d="m 1 2 3" />\n' * 400)

    facts = read("a.vue", text)

    assert facts.is_whole
    assert facts.symbols[1].name == "greet"


def test_imports_of_a_part_are_imports_of_the_file(read: Read) -> None:
    assert [each.module for each in read("a.vue", VUE).imports] == ["vue"]


def test_a_notebook_is_its_cells() -> None:
    """Prose is commented out, outputs and lines for the notebook itself are left out of the code."""
    cells = (
        b'{"cells": [{"cell_type": "markdown", "source": ["# Title\\n", "words"]}, {"cell_type": "code",'
        b' "source": "%matplotlib inline\\ndef f():\\n    return 1", "outputs": [{"data": {"image/png": "AAAA"}}]}],'
        b' "metadata": {"language_info": {"name": "python"}}}'
    )

    written = write_out_cells(cells)

    assert written is not None
    text, language = written
    assert [symbol.name for symbol in parse_file("a.ipynb", text, language).symbols[1:]] == ["f"]
    assert b"# # Title\n# words" in text
    assert b"AAAA" not in text
    assert write_out_cells(b'{"name": "no notebook"}') is None
    assert write_out_cells(b"{") is None
