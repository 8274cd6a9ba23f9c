"""Calls between files: an edge is true or absent, in every language."""

# ruff: noqa: E501  the text of a small file stands on one line

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clew.codebase.file_changes import IndexReport, find_file_changes
from clew.store.documents import Documents
from clew.store.name_resolution import Names
from clew.store.shard import compute_part_digest
from clew.text.postings import NameUse


def calls(root: Path, files: dict[str, str]) -> set[str]:
    """Return every call that is found between these files, as `caller -> callee`."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    parts, names = list[tuple[tuple[str, int, str], bytes]](), list[str]()
    for delta in sorted(find_file_changes(root, {}, IndexReport(), jobs=1), key=lambda delta: delta.source):
        if delta.segment:
            parts.append(((delta.source, 0, compute_part_digest(delta.segment)), delta.segment))
            names += [record.name if record.kind == "module" else f"{record.path}::{record.name}" for record in delta.records]
    documents = Documents.build(parts)
    everything = np.arange(documents.size, dtype=np.int32)
    forth, back = Names(documents).outgoing(everything), Names(documents).incoming(everything)
    found = {
        f"{names[tail]} -> {names[head]}"
        for edges in (forth, back)
        for tail, head, kind in zip(edges.tails.tolist(), edges.heads.tolist(), edges.kinds.tolist(), strict=True)
        if kind == NameUse.CALL
    }
    pairs = [set(zip(edges.tails.tolist(), edges.heads.tolist(), edges.kinds.tolist(), strict=True)) for edges in (forth, back)]
    assert pairs[0] == pairs[1], "an edge is the same from both of its ends"
    return found


CASES: dict[str, tuple[dict[str, str], set[str]]] = {
    "`import *` takes what `__all__` lists": (
        {
            "pkg/__init__.py": "from .util import *\n",
            "pkg/util.py": "__all__ = ['helper']\n\n\ndef helper():\n    pass\n\n\ndef inner():\n    pass\n",
            "pkg/free.py": "def wide():\n    pass\n",
            "a.py": "from pkg import *\nfrom pkg.free import *\n\n\ndef f():\n    helper()\n    inner()\n    wide()\n",
        },
        {"a.py::f -> pkg/util.py::helper", "a.py::f -> pkg/free.py::wide"},
    ),
    "a type of Kotlin on one line has its members": (
        {"a/K.kt": "package a\nclass K { fun inst() = 2 }\n", "b.kt": "package b\nimport a.K\nfun go(k: K) = k.inst()\n"},
        {"b.kt::go -> a/K.kt::K.inst"},
    ),
    "a clause of Elixir does not call the clauses beside it": (
        {"a.ex": "defmodule A do\n  def f(1), do: g(1)\n  def f(2) do\n    g(2)\n  end\n  def g(x), do: x\nend\n"},
        {"a.ex::A.f -> a.ex::A.g"},
    ),
    "a type of the same name in another module is not called": (
        {
            f"{at}/T.scala": f"package app\nobject T {{\n  def run(x: Int) = x\n  def go{at}() = run(1)\n}}\nobject U{at} {{ def use() = T.run(2) }}\n"
            for at in ("one", "two")
        },
        {
            "one/T.scala::T.goone -> one/T.scala::T.run",
            "two/T.scala::T.gotwo -> two/T.scala::T.run",
            *(f"{a}/T.scala::U{a}.use -> {b}/T.scala::T.run" for a in ("one", "two") for b in ("one", "two")),
        },
    ),
    "a test of Kotlin is called by nothing": (
        {
            "T.kt": "package a\nclass T {\n  @Test fun awaitItem() = run { flow.test { awaitItem() } }\n  @Test fun other() { flow.test { awaitItem() } ; help() }\n"
            "  fun help() {}\n}\n",
        },
        {"T.kt::T.other -> T.kt::T.help"},
    ),
    "a static function of C is its file's own": (
        {
            "a.c": "static int init(void) { return 1; }\nint main(void) { return init(); }\n",
            "b.c": "static int init(void) { return 2; }\nint go(void) { return init(); }\n",
            "c.cpp": "namespace {\nint init() { return 3; }\n}\nint run() { return 1; }\n",
            "d.c": "int run(void);\nint far(void) { init(); return run(); }\n",
        },
        {"a.c::main -> a.c::init", "b.c::go -> b.c::init", "d.c::far -> c.cpp::run", "d.c::far -> d.c::run"},
    ),
    "a default export that a barrel hands on under a name is followed": (
        {
            "ui/modal.tsx": "export default function ModalDialog() { return 1; }\n",
            "ui/index.ts": 'export { default as Modal } from "./modal";\n',
            "app/main.ts": 'import { Modal } from "../ui";\nexport const go = () => Modal();\n',
        },
        {"app/main.ts::go -> ui/modal.tsx::ModalDialog"},
    ),
    "the scripts of a Vue file use what they import, and no method of something else": (
        {
            "src/api.ts": "export const load = () => 1;\nexport class Bag { map(f) { return f; } }\n",
            "src/App.vue": "<script setup lang='ts'>\nimport { load } from './api';\nfunction start(rows) { rows.map(load()); }\n</script>\n",
        },
        {"src/App.vue::start -> src/api.ts::load"},
    ),
    "what a shell script sources is called there": (
        {
            "lib/money.sh": "half() { echo 1; }\n",
            "bin/go.sh": "source ../lib/money.sh\nrun() { half 1; }\n",
            "bin/no.sh": "run() { half 1; }\n",
        },
        {"bin/go.sh::run -> lib/money.sh::half"},
    ),
    "a method of a builtin is nobody's": (
        {
            "a.py": "class Log:\n    def append(self, line):\n        pass\n\n\ndef get(key):\n    return key\n",
            "b.py": "import requests\n\n\ndef f(d, url):\n    d.get('x')\n    [].append(1)\n    requests.get(url)\n    open(url)\n",
            "c.py": "def open(path):\n    return path\n",
        },
        set(),
    ),
    "an import, a renamed import and a module lead to what they name": (
        {
            "pkg/__init__.py": "from .deep import spin as turn\nfrom .rest import *\n",
            "pkg/deep.py": "def spin():\n    pass\n",
            "pkg/rest.py": "def lie():\n    pass\n",
            "one.py": "from pkg import turn as t\nimport pkg\nfrom pkg import deep\n\n\ndef f():\n    t()\n    pkg.lie()\n    deep.spin()\n",
        },
        {"one.py::f -> pkg/deep.py::spin", "one.py::f -> pkg/rest.py::lie"},
    ),
    "a receiver's type says whose method it is": (
        {
            "a.py": "class Base:\n    def go(self):\n        pass\n\n\nclass Car(Base):\n    def stop(self):\n        self.go()\n\n\n"
            "def make() -> Car:\n    return Car()\n",
            "b.py": "from a import Car, make\n\n\nclass Van:\n    def __init__(self, spare: Car):\n        self.car = Car()\n        spare.stop()\n\n"
            "    def go(self):\n        self.car.stop()\n        make().go()\n\n\ndef f(x):\n    x.stop()\n    x = 3\n",
        },
        {
            "a.py::Car.stop -> a.py::Base.go",
            "a.py::make -> a.py::Car",
            "b.py::Van.__init__ -> a.py::Car",
            "b.py::Van.__init__ -> a.py::Car.stop",
            "b.py::Van.go -> a.py::Car.stop",
            "b.py::Van.go -> a.py::make",
            "b.py::Van.go -> a.py::Base.go",
        },
    ),
    "a local name is not the file's": (
        {"a.py": "def step():\n    pass\n\n\ndef f(step):\n    step()\n\n\ndef g():\n    step()\n"},
        {"a.py::g -> a.py::step"},
    ),
    "a barrel hands on under another name": (
        {
            "src/deep.ts": "export function spin() {}\nexport default function turn() {}\n",
            "src/index.ts": "export { spin as whirl, default as turning } from './deep';\n",
            "app.ts": "import { whirl, turning } from './src';\nimport t from './src/deep';\nexport function f() { whirl(); turning(); t(); }\n",
            "other.py": "def f(x):\n    x.whirl()\n    x.spin()\n",
        },
        {"app.ts::f -> src/deep.ts::spin", "app.ts::f -> src/deep.ts::turn"},
    ),
    "a typed parameter and a field of a class": (
        {
            "a.ts": "export class Store { find(id: string) { return id; } }\n",
            "b.ts": "import { Store } from './a';\nexport class Page {\n  constructor(private store: Store) {}\n"
            "  show() { this.store.find('x'); [].find(x => x); }\n}\nexport function f(s: Store, any: any) { s.find('y'); any.find('z'); }\n",
        },
        {"b.ts::Page.show -> a.ts::Store.find", "b.ts::f -> a.ts::Store.find"},
    ),
    "a module's exports": (
        {
            "lib/app.js": "exports = module.exports = create;\nfunction create() {}\nexports.use = function use() {};\n",
            "main.js": "const app = require('./lib/app');\nfunction f() { app(); app.use(); }\n",
        },
        {"main.js::f -> lib/app.js::create", "main.js::f -> lib/app.js::use"},
    ),
    "a package in Go is its folder, and a builtin is no method": (
        {
            "go.mod": "module example.org/m\n",
            "src/history.go": "package src\n\ntype History struct{ lines []string }\n\nfunc (h *History) append(line string) { copy(h.lines, h.lines) }\n",
            "src/cache.go": "package src\n\ntype Cache struct{ history *History }\n\nfunc NewCache() *Cache { return &Cache{} }\n"
            "func (c *Cache) Add(k string) { c.history.append(k); out := append(nil, k); _ = out }\n",
            "main.go": 'package main\n\nimport "example.org/m/src"\n\nfunc main() {\n\tc := src.NewCache()\n\tc.Add("x")\n\tvar wg WaitGroup\n\twg.Add(1)\n}\n',
        },
        {
            "src/cache.go::Cache.Add -> src/history.go::History.append",
            "main.go::main -> src/cache.go::NewCache",
            "main.go::main -> src/cache.go::Cache.Add",
        },
    ),
    "packages in Java, wherever the files lie": (
        {
            "x/Store.java": "package com.acme;\nclass Store {\n  Order find(int id) { return new Order(); }\n}\n",
            "y/Order.java": "package com.acme;\nclass Order {\n  void pay() { check(); }\n  void check() {}\n}\n",
            "z/Main.java": "package com.other;\nimport com.acme.Store;\nclass Main {\n  Store store;\n  Object any;\n"
            "  void go() { store.find(1).pay(); any.find(2); pay(); }\n}\n",
        },
        {
            "x/Store.java::Store.find -> y/Order.java::Order",
            "y/Order.java::Order.pay -> y/Order.java::Order.check",
            "z/Main.java::Main.go -> x/Store.java::Store.find",
            "z/Main.java::Main.go -> y/Order.java::Order.pay",
        },
    ),
    "a tree of modules in Rust": (
        {
            "Cargo.toml": '[package]\nname = "acme"\n',
            "src/lib.rs": "mod deep;\nuse crate::deep::Car;\npub fn run() { let c = Car::new(); c.go(); deep::help(); x.go(); }\n",
            "src/deep.rs": "pub struct Car;\nimpl Car {\n    pub fn new() -> Self { Car }\n    pub fn go(&self) { self.stop(); }\n    fn stop(&self) {}\n}\n"
            "pub fn help() {}\n",
        },
        {
            "src/lib.rs::run -> src/deep.rs::Car.new",
            "src/lib.rs::run -> src/deep.rs::Car.go",
            "src/lib.rs::run -> src/deep.rs::help",
            "src/deep.rs::Car.go -> src/deep.rs::Car.stop",
        },
    ),
    "namespaces in PHP": (
        {
            "a/Store.php": "<?php\nnamespace Acme\\Shop;\nclass Store {\n  public function find() { return $this->look(); }\n  private function look() {}\n}\n",
            "b/Page.php": "<?php\nnamespace Acme\\Web;\nuse Acme\\Shop\\Store as S;\nfunction show(S $s, $any) { $s->find(); $any->find(); new S(); }\n",
        },
        {
            "a/Store.php::Store.find -> a/Store.php::Store.look",
            "b/Page.php::show -> a/Store.php::Store.find",
            "b/Page.php::show -> a/Store.php::Store",
        },
    ),
    "constants in Ruby": (
        {
            "a.rb": "module Acme\n  class Store\n    def find; look(); end\n    def look; end\n  end\nend\n",
            "b.rb": "def show(any)\n  s = Acme::Store.new\n  s.find\n  any.find\nend\n",
        },
        {"a.rb::Acme.Store.find -> a.rb::Acme.Store.look", "b.rb::show -> a.rb::Acme.Store.find"},
    ),
    "namespaces in C#": (
        {
            "a/Store.cs": "namespace Acme.Shop;\nclass Store { public void Find() { Look(); } void Look() {} }\n",
            "b/Page.cs": "using Acme.Shop;\nnamespace Acme.Web;\nclass Page { void Show(Store s, object o) { s.Find(); o.Find(); } }\n",
        },
        {"a/Store.cs::Store.Find -> a/Store.cs::Store.Look", "b/Page.cs::Page.Show -> a/Store.cs::Store.Find"},
    ),
    "a program in C": (
        {
            "a.h": "struct bag { int n; };\nint fill(struct bag *b);\n",
            "a.c": '#include "a.h"\nstatic int help(void) { return 1; }\nint fill(struct bag *b) { return help(); }\n',
            "b.c": '#include "a.h"\nint main(void) { struct bag b; return fill(&b); }\n',
        },
        {"a.c::fill -> a.c::help", "b.c::main -> a.c::fill", "b.c::main -> a.h::fill"},
    ),
    "a specialisation in C++ is another type": (
        {
            "a.h": "template <class T> struct form {};\ntemplate <> struct form<int> { int put(int x) { return lay(x); } int lay(int x) { return x; } };\n",
            "b.h": '#include "a.h"\ntemplate <> struct form<char> { int put(int x) { return lay(x); } int lay(int x) { return x; } };\n'
            "int f(form<long> g) { return g.put(1); }\n",
        },
        {"a.h::form.put -> a.h::form.lay", "b.h::form.put -> b.h::form.lay"},
    ),
    "a module of Elixir by its whole name, by an alias, and imported": (
        {
            "lib/shop/mail.ex": "defmodule Shop.Mail do\n  def deliver(x), do: x\n  def length(x), do: x\nend\n",
            "lib/shop/post.ex": "defmodule Shop.Post do\n  def stamp(x), do: x\nend\n",
            "lib/app.ex": "defmodule App do\n  alias Shop.Mail, as: Letters\n  alias Shop.{Post}\n  import Shop.Post\n"
            "  def a(x), do: Letters.deliver(x)\n  def b(x), do: Shop.Mail.deliver(x)\n  def c(x), do: Post.stamp(x)\n"
            "  def d(x), do: Enum.map(stamp(x), &length/1)\nend\n",
        },
        {
            "lib/app.ex::App.a -> lib/shop/mail.ex::Shop.Mail.deliver",
            "lib/app.ex::App.b -> lib/shop/mail.ex::Shop.Mail.deliver",
            "lib/app.ex::App.c -> lib/shop/post.ex::Shop.Post.stamp",
            "lib/app.ex::App.d -> lib/shop/post.ex::Shop.Post.stamp",
        },
    ),
    "a name that an import of Scala changes": (
        {
            "util/Fmt.scala": "package acme.util\nobject Fmt { def pad(s: String) = s }\nobject Cut { def trim(s: String) = s }\n",
            "app/Main.scala": "package acme.app\nimport acme.util.{Fmt => F, Cut}\nobject Main {\n  def go(xs: List[Int]) = xs.map(_ + 1)\n"
            "  def say(s: String) = F.pad(Cut.trim(s).trim)\n}\n",
            "app/Own.scala": "package acme.other\nclass Own { def map(f: Int) = f }\n",
        },
        {"app/Main.scala::Main.say -> util/Fmt.scala::Fmt.pad", "app/Main.scala::Main.say -> util/Fmt.scala::Cut.trim"},
    ),
    "a name of another language": (
        {
            "web/redeem.ts": "export function redeemCoupon(code: string) { return code; }\n",
            "java/Tool.java": 'class Tool {\n  Object redeemer;\n  void go() { redeemer.redeemCoupon("1"); redeemCoupon("2"); }\n}\n',
            "Makefile": "fmt:\n\tgofmt -w .\n",
            "m.go": 'package m\n\nimport "fmt"\n\nfunc f() { fmt.Println("x"); fmt() }\n',
        },
        set(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_edge_is_true_or_absent(name: str, tmp_path: Path) -> None:
    """Every call that the files' own words prove is found, and no other."""
    files, wanted = CASES[name]

    assert calls(tmp_path, files) == wanted
