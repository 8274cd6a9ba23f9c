"""Each language's definitions, headers, docs, calls, bases and imports, on one small file that has what is special in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clew.codebase.facts import FileFacts, Symbol
from tests.codebase.samples import CPP, CSHARP, GO, JAVA, JAVASCRIPT, KOTLIN, PHP, PYTHON, RUBY, RUST, SWIFT, TYPESCRIPT, C

Read = Callable[[str, str | bytes], FileFacts]


def outline(facts: FileFacts) -> list[str]:
    return [f"{symbol.kind} {symbol.qualname}" for symbol in facts.symbols[1:]]


def named(facts: FileFacts, qualname: str) -> Symbol:
    return next(symbol for symbol in facts.symbols if symbol.qualname == qualname)


def signature(facts: FileFacts, text: str, qualname: str) -> str:
    symbol = named(facts, qualname)
    return text.encode()[symbol.signature_start : symbol.signature_end].decode()


def called(symbol: Symbol) -> list[str]:
    return [f"{receiver}.{name}" if receiver not in ("", "?") and "()" not in receiver else name for name, receiver, _ in symbol.calls]


def referenced(symbol: Symbol) -> list[str]:
    return [name for name, _, _ in symbol.references]


def imported(facts: FileFacts) -> list[tuple[str, tuple[tuple[str, str], ...], str]]:
    return [(each.module, each.names, each.alias) for each in facts.imports]


def test_python(read: Read) -> None:
    """Decorators belong to the span and not to the header; locals, parameters, strings and keyword names are no references."""
    facts = read("pkg/shape.py", PYTHON)

    assert outline(facts) == [
        "constant LIMIT",
        "variable cache",
        "class Shape",
        "method Shape.area",
        "function Shape.area.helper",
        "method Shape.name",
        "function main",
    ]
    shape, area = named(facts, "Shape"), named(facts, "Shape.area")
    text = PYTHON.encode()
    assert facts.symbols[0].docstring == "What the module is for."
    assert facts.symbols[0].name == "shape"
    assert (shape.start_line, shape.bases) == (11, ("Base", "abc.ABC", "Generic"))
    assert signature(facts, PYTHON, "Shape").startswith("class Shape(Base")
    assert shape.docstring == "A shape.\n\n    With a deeper line.\nThe end."
    assert text[shape.start : shape.head_end].endswith(b"sides = 0")
    assert signature(facts, PYTHON, "Shape.area") == "def area(\n        self, scale: float = 1.0\n    ) -> float:"
    assert text[area.start : area.head_end].endswith(b'"""Its area."""')
    assert area.calls == (("helper", "", 1), ("length", "self.side", 1), ("other", "", 2))
    assert referenced(area) == ["side", "LIMIT"]
    assert called(named(facts, "Shape.area.helper")) == ["np.abs"]
    assert called(named(facts, "Shape.name")) == []
    assert signature(facts, PYTHON, "main") == "async def main():"
    assert imported(facts) == [
        ("os.path", (), "os.path"),
        ("numpy", (), "np"),
        (".", (("sibling", "sibling"),), ""),
        ("..pkg.mod", (("first", "first"), ("second", "other")), ""),
    ]
    assert [each.is_relative for each in facts.imports] == [False, False, True, True]
    assert [each.line for each in facts.imports] == [2, 3, 4, 5]


def test_javascript(read: Read) -> None:
    """Functions get the name of what they are assigned to; spec blocks are tests; lower-case tags and text of JSX are no references."""
    facts = read("panel.jsx", JAVASCRIPT)

    assert outline(facts) == [
        "function Draw",
        "class Panel",
        "method Panel.handle",
        "method Panel.make",
        "function twice",
        "constant LIMIT",
        "function twice",
        "method Panel.late",
        "test panel",
        "test panel.draws",
        "constant table",
        "method table.open",
        "method table.close",
    ]
    draw = named(facts, "Draw")
    assert signature(facts, JAVASCRIPT, "Draw") == "export default function Draw({ size }) {"
    assert draw.docstring == "Draws."
    assert JAVASCRIPT[draw.start :].startswith("/** Draws. */")
    assert called(draw) == ["state", "join"]
    assert "Panel" in referenced(draw)
    assert not {"words", "here", "size"} & set(referenced(draw))
    assert named(facts, "Panel").bases == ("React.Component",)
    assert called(named(facts, "Panel.handle")) == ["this.props.run"]
    assert called(named(facts, "Panel.make")) == ["Panel"]
    assert imported(facts) == [
        ("react", (("default", "React"), ("useState", "state")), ""),
        ("./tools", (), "tools"),
        ("./one", (("one", "one"),), ""),
        ("path", (("join", "join"), ("sep", "separator")), ""),
        ("./load", (), "load"),
    ]


@pytest.mark.parametrize("path", ["store.ts", "store.tsx", "store.mts"])
def test_typescript(read: Read, path: str) -> None:
    """Interfaces, aliases, enums, namespaces and bodiless methods are symbols; a decorator is no part of a header."""
    facts = read(path, TYPESCRIPT)

    assert outline(facts) == [
        "interface Store",
        "method Store.get",
        "class Memory",
        "method Memory.constructor",
        "method Memory.get",
        "method Memory.flush",
        "type Key",
        "enum Level",
        "namespace Tools.Deep",
        "constant Tools.Deep.ZERO",
        "function outside",
        "function make",
    ]
    store, memory = named(facts, "Store"), named(facts, "Memory")
    assert (store.bases, store.docstring) == (("Reader", "Closer"), "What a store can do.")
    assert store.head_end == store.end
    assert memory.bases == ("Base", "Store")
    assert signature(facts, TYPESCRIPT, "Memory") == "export abstract class Memory<T> extends Base<T> implements Store<T> {"
    assert TYPESCRIPT[memory.start :].startswith("@sealed")
    assert called(named(facts, "Memory.get")) == ["this.items.find"]
    assert signature(facts, TYPESCRIPT, "make") == "export const make = async <T,>(key: Key): Promise<Memory<T>> =>"
    assert called(named(facts, "make")) == ["build"]
    assert imported(facts) == [("./options", (("Options", "Options"),), "")]


def test_go(read: Read) -> None:
    """Methods are named after their receiver, grouped declarations give one symbol each, embedding is inheritance."""
    facts = read("tree/tree.go", GO)

    assert outline(facts) == [
        "constant Deepest",
        "constant Oak",
        "constant Elm",
        "struct Node",
        "interface Walker",
        "method Walker.Walk",
        "method Node.Grow",
        "method List.Len",
        "function New",
    ]
    grow = named(facts, "Node.Grow")
    assert facts.symbols[0].docstring == "Package tree grows."
    assert named(facts, "Node").bases == ("Base", "sync.Mutex")
    assert named(facts, "Walker").bases == ("io.Reader",)
    assert signature(facts, GO, "Node.Grow") == "func (n *Node) Grow(by int, names ...string) (count int, err error) {"
    assert grow.docstring == "Grow adds."
    assert grow.head_end == grow.signature_end
    assert called(grow) == ["fmt.Sprint", "n.left.attach", "collect", "m.NewInt"]
    assert not {"by", "names", "added", "name", "count"} & set(referenced(grow))
    assert referenced(named(facts, "New")) == ["Node"]
    assert imported(facts) == [("fmt", (), "fmt"), ("math/big", (), "m"), ("strings", (("*", "*"),), "")]


def test_rust(read: Read) -> None:
    """An impl extends its type and inherits its trait, attributes belong to the span, macros hide no calls."""
    facts = read("src/car.rs", RUST)

    assert outline(facts) == [
        "struct Car",
        "trait Drive",
        "method Drive.go",
        "method Drive.park",
        "extension Car",
        "method Car.go",
        "macro honk",
        "constant LIMIT",
        "type Garage",
        "namespace tests",
        "function tests.drives",
    ]
    car, go = named(facts, "Car"), named(facts, "Car.go")
    assert facts.symbols[0].docstring == "About the crate."
    assert (car.docstring, car.start_line) == ("A car.", 6)
    assert signature(facts, RUST, "Car") == "pub struct Car<T> where T: Power {"
    assert next(symbol for symbol in facts.symbols if symbol.kind == "extension").bases == ("Drive",)
    assert named(facts, "Drive").bases == ("Move", "Stop")
    assert called(go) == ["Self.limit", "println", "gears.shift", "self.wheel.turn", "count"]
    assert go.docstring == "Goes."
    assert imported(facts) == [
        ("std", (("fmt", "fmt"),), ""),
        ("std::fmt", (("Display", "Show"),), ""),
        ("std::fmt::io", (("*", "*"),), ""),
        ("crate::parts", (("Wheel", "Wheel"),), ""),
        ("self::engine", (), "engine"),
    ]


def test_java(read: Read) -> None:
    """Annotations belong to the span and not to the header; constructors, enums and records are symbols."""
    facts = read("src/com/shop/cart/Cart.java", JAVA)

    assert outline(facts) == [
        "class Cart",
        "method Cart.Cart",
        "method Cart.add",
        "method Cart.clear",
        "enum Cart.State",
        "method Cart.State.end",
        "class Cart.Line",
    ]
    cart = named(facts, "Cart")
    assert (cart.docstring, cart.bases) == ("Holds items.", ("Base", "Closeable", "Item.Listener"))
    assert signature(facts, JAVA, "Cart").startswith("public abstract class Cart<T>")
    assert signature(facts, JAVA, "Cart.add") == "public <R> List<R> add(final String name, int... more) {"
    assert JAVA[: cart.head_end].endswith("LIMIT = 1;")
    assert called(named(facts, "Cart.add")) == ["Order", "order.lines", "map", "line.price"]
    assert "name" not in referenced(named(facts, "Cart.add"))
    assert imported(facts) == [
        ("java.util", (("List", "List"),), ""),
        ("java.lang.Math", (("max", "max"),), ""),
        ("com.shop.item", (("*", "*"),), ""),
    ]


def test_c(read: Read) -> None:
    """Names are found inside declarators, prototypes and macros are symbols, function pointers are not functions."""
    facts = read("add.c", C)

    assert outline(facts) == [
        "macro LIMIT",
        "macro SQUARE",
        "struct node_t",
        "struct pair",
        "enum color",
        "type callback",
        "function add",
        "function name_of",
        "constant names",
    ]
    add = named(facts, "add")
    assert signature(facts, C, "add") == "static inline int add(int a, int *b)\n{"
    assert add.docstring == "Adds."
    assert called(add) == ["combine", "table.run"]
    assert signature(facts, C, "name_of") == "char *name_of(const node_t *node);"
    assert imported(facts) == [("stdio.h", (("*", "*"),), ""), ("net/socket.h", (("*", "*"),), "")]
    assert [each.is_relative for each in facts.imports] == [False, True]


def test_cpp(read: Read) -> None:
    """Out-of-line methods are named like the others, templates belong to the header, operators have names."""
    facts = read("shape.hpp", CPP)

    assert outline(facts) == [
        "namespace geo.flat",
        "type geo.flat.Points",
        "class geo.flat.Shape",
        "method geo.flat.Shape.Shape",
        "method geo.flat.Shape.~Shape",
        "method geo.flat.Shape.area",
        "method geo.flat.Shape.operator==",
        "enum geo.flat.Shape.Side",
        "method geo.flat.Shape.count",
        "function operator<<",
        "constant LIMIT",
    ]
    shape = named(facts, "geo.flat.Shape")
    assert (shape.docstring, shape.bases) == ("A shape.", ("Base", "detail.Other"))
    assert signature(facts, CPP, "geo.flat.Shape").startswith("template <typename T, int N = 1>\nclass Shape")
    assert called(named(facts, "geo.flat.Shape.area")) == ["helper.scale"]
    assert called(named(facts, "geo.flat.Shape.count")) == ["list.push", "done"]


def test_csharp(read: Read) -> None:
    """The namespace is the package; properties are methods where they hold code; attributes are no part of a header."""
    facts = read("Cart.cs", CSHARP)

    assert outline(facts) == [
        "class Cart",
        "method Cart.Total",
        "method Cart.Cart",
        "method Cart.Add",
        "function Cart.Add.Local",
        "method Cart.operator +",
        "interface IClosable",
        "method IClosable.Close",
        "class Line",
        "type Changed",
    ]
    cart = named(facts, "Cart")
    assert (cart.docstring, cart.bases) == ("Holds items.", ("Base", "IClosable"))
    assert signature(facts, CSHARP, "Cart").startswith("public partial class Cart<T>")
    assert signature(facts, CSHARP, "Cart.Total") == "public int Total"
    assert called(named(facts, "Cart.Add")) == ["store.Find", "order.Close", "Order", "Count"]
    assert imported(facts) == [
        ("System", (("*", "*"),), ""),
        ("System.Math", (("*", "*"),), ""),
        ("Shop.Core.Item", (), "Alias"),
    ]


def test_ruby(read: Read) -> None:
    """Mixins are bases, `private def` is one definition, specs are tests, instance variables are no references."""
    facts = read("cart.rb", RUBY)

    assert outline(facts) == [
        "namespace Shop",
        "constant Shop.VERSION",
        "class Shop.Cart",
        "method Shop.Cart.add",
        "method Shop.Cart.make",
        "method Shop.Cart.secret?",
        "test Shop::Cart",
        "test Shop::Cart.adds",
        "class Point",
        "method Point.far",
    ]
    add = named(facts, "Shop.Cart.add")
    assert named(facts, "Shop").docstring == "Everything to sell.\nAnd more."
    assert named(facts, "Shop.Cart").bases == ("Store.Base", "Enumerable")
    assert signature(facts, RUBY, "Shop.Cart.add") == "def add(item, count = 1, *rest, tax:, **options, &block)"
    assert signature(facts, RUBY, "Shop.Cart.secret?") == "private def secret?"
    assert add.docstring == "Adds."
    assert called(add) == ["tools.price", "Order.Line.new", "line.save!"]
    assert not {"item", "total", "price", "line"} & set(referenced(add))
    assert imported(facts) == [("json", (("*", "*"),), ""), ("../lib/tools", (("*", "*"),), "")]


def test_php(read: Read) -> None:
    """Traits in use are bases; variables, with their sigil, are no references."""
    facts = read("Cart.php", PHP)

    assert outline(facts) == [
        "constant LIMIT",
        "class Cart",
        "method Cart.add",
        "trait Counts",
        "method Counts.count",
        "function top",
    ]
    cart, add = named(facts, "Cart"), named(facts, "Cart.add")
    assert (cart.docstring, cart.bases) == ("Holds items.", ("Base", "Closable", "Other.Thing", "Counts"))
    assert signature(facts, PHP, "Cart").startswith("abstract class Cart")
    assert called(add) == ["$this.lines.push", "self.check", "Journal.write", "Line", "App.helper"]
    assert not {"count", "names"} & set(referenced(add))
    assert imported(facts) == [
        ("App\\Item", (("Line", "Line"),), ""),
        ("App", (("Store", "Store"),), ""),
        ("App", (("Log", "Journal"),), ""),
        ("./legacy.php", (("*", "*"),), ""),
    ]


def test_kotlin(read: Read) -> None:
    """Extension functions carry their receiver, a companion's members are its class's, annotations are no part of a header."""
    facts = read("Cart.kt", KOTLIN)

    assert outline(facts) == [
        "class Cart",
        "method Cart.constructor",
        "method Cart.make",
        "test Cart.add",
        "method Cart.total",
        "interface Closable",
        "method Closable.close",
        "enum State",
        "class Registry",
        "type Names",
        "constant TOP",
        "function String.shout",
    ]
    cart, add = named(facts, "Cart"), named(facts, "Cart.add")
    assert (cart.docstring, cart.bases) == ("Holds items.", ("Base", "Closable"))
    assert signature(facts, KOTLIN, "Cart").startswith("abstract class Cart<T>")
    assert signature(facts, KOTLIN, "Cart.total") == "fun total()"
    assert called(add) == ["name.trim", "split", "order.map", "it.price", "forEach", "log", "order.first"]
    assert not {"name", "order", "line"} & set(referenced(add))
    assert imported(facts) == [
        ("com.shop.item", (("Line", "Line"),), ""),
        ("com.shop.item", (("Price", "Cost"),), ""),
        ("kotlin.math", (("*", "*"),), ""),
    ]


def test_swift(read: Read) -> None:
    """Computed properties are methods, protocols are interfaces, extensions inherit what they add."""
    facts = read("Cart.swift", SWIFT)

    assert outline(facts) == [
        "class Cart",
        "method Cart.total",
        "method Cart.init",
        "method Cart.add",
        "interface Closable",
        "method Closable.close",
        "extension Cart",
        "method Cart.hash",
        "struct Point",
        "method Point.move",
        "enum State",
        "type Names",
        "constant top",
    ]
    cart, add = named(facts, "Cart"), named(facts, "Cart.add")
    assert (cart.docstring, cart.bases) == ("Holds items.", ("Base", "Closable"))
    assert signature(facts, SWIFT, "Cart").startswith("public final class Cart<T>")
    assert signature(facts, SWIFT, "Cart.add") == "func add<R>(_ name: String, to list: List) async throws -> R {"
    assert next(symbol for symbol in facts.symbols if symbol.kind == "extension").bases == ("Hashable",)
    assert called(add) == ["name.trim", "split", "list.empty", "Store.find"]
    assert not {"name", "list", "order"} & set(referenced(add))
    assert imported(facts) == [("Foundation", (("*", "*"),), ""), ("Shop", (("Line", "Line"),), "")]


def test_a_docstring_below_a_licence_is_the_modules(read: Read) -> None:
    """Comments above do not hide it."""
    facts = read("x.py", "#!/usr/bin/env python\n" + "# licence\n" * 20 + '"""What it is for."""\n')

    assert facts.symbols[0].docstring == "What it is for."
    assert facts.symbols[0].head_end == len("#!/usr/bin/env python\n" + "# licence\n" * 20 + '"""What it is for."""\n')


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("x.go", "// one\n\n// two\n// more\nfunc F() {}\n", "two\nmore"),
        ("x.go", "var a = 1 // beside\nfunc F() {}\n", ""),
        ("x.js", "/**\n * Starred.\n *   Deeper.\n */\nfunction F() {}\n", "Starred.\n  Deeper."),
        ("x.js", "// eslint-disable-next-line\nfunction F() {}\n", ""),
        ("x.rs", "/// Doc.\n#[inline]\n// plain\nfn F() {}\n", "Doc.\nplain"),
        ("x.rb", "# Doc.\ndef F; end\n", "Doc."),
        ("x.c", "int a; /* beside */\nvoid F(void);\n", ""),
    ],
)
def test_docs_are_the_comments_right_above(read: Read, path: str, text: str, expected: str) -> None:
    """No blank line between, nothing else on the line, without the words to tools."""
    assert named(read(path, text), "F").docstring == expected


def test_equal_names_are_kept_in_order(read: Read) -> None:
    """Overloads and redefinitions share a qualified name; values count once."""
    facts = read("x.py", "X = 1\nX = 2\ndef f(): pass\ndef f(): pass\n")

    assert [(symbol.qualname, symbol.start_line) for symbol in facts.symbols[1:]] == [("X", 1), ("f", 3), ("f", 4)]


def test_names_in_any_script_are_references_and_parts_of_numbers_are_not(read: Read) -> None:
    """`0x1f` and `10L` hold no names."""
    facts = read("x.py", "def f():\n    return größe + Ærø.größe + 0x1f + 1_000 + 1e5 + été()\n")

    assert facts.symbols[1].references == (("größe", "", 1), ("Ærø", "", 1), ("größe", "Ærø", 1))
    assert facts.symbols[1].calls == (("été", "", 1),)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("x.py", "def f(user_id=1):\n    '''Says harbour.'''\n    emit('user.created', key=\"a b c d\", ok='x', n='12345')\n"),
        ("x.ts", "export const f = () => { emit('user.created', `a b c d`, 'x', '12345'); };\n"),
        ("x.go", 'package x\n\nfunc f() { emit("user.created", "a b c d", "x", "12345") }\n'),
        ("x.rs", 'fn f() { emit("user.created", "a b c d", "x", "12345"); }\n'),
        ("X.java", 'class X { void f() { emit("user.created", "a b c d", "x", "12345"); } }\n'),
        ("x.rb", "def f\n  emit('user.created', 'a b c d', 'x', '12345')\nend\n"),
        ("x.c", 'void f(void) { emit("user.created", "a b c d", "x", "12345"); }\n'),
    ],
)
def test_literals_are_strings_that_read_like_names(read: Read, path: str, text: str) -> None:
    """No prose, nothing too short, no bare numbers, and no names of arguments."""
    assert read(path, text).literals == ("user.created",)


MACROS = """class [[nodiscard]] LIB_API CORE_EXPORT(core) Holder final : public Base, private detail::Logger {
 public:
  void WINAPI run(int a);
};
extern LUA_API void (lua_settop) (void *L, int idx);
void EXPORT_CALL do_recv(void);
TEST_F(LexerTest, HandlesEmpty) { run(); }
int after(int a) { return a; }
"""


def test_macros_of_c_hide_no_definition_and_name_none(read: Read) -> None:
    facts = read("lib.hpp", MACROS)

    assert [symbol.qualname for symbol in facts.symbols[1:]] == [
        "Holder", "Holder.run", "lua_settop", "do_recv", "LexerTest.HandlesEmpty", "after",
    ]  # fmt: skip
    assert facts.symbols[1].bases == ("Base", "detail.Logger")


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("a.ex", 'defmodule A do\n  @doc "the mark"\n  @spec run(integer) :: integer\n  def run(x), do: x\nend\n', "A.run"),
        ("a.dart", 'class D {\n  @Deprecated("the mark")\n  void one() {}\n}\n', "D.one"),
    ],
)
def test_what_marks_a_definition_is_part_of_it(read: Read, path: str, text: str, name: str) -> None:
    [symbol] = [each for each in read(path, text).symbols if each.qualname == name]

    assert b"the mark" in text.encode()[symbol.start : symbol.end]
