"""What a question names: paths, dotted names, identifiers, quotes, errors, frames; and that no text makes it slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.task.clues import Clues, find_clues
from clew.task.frames import StackFrame

PYTHON = """Simplifying fails:
```python
>>> from billing.tax import TaxTable, rate_of
>>> TaxTable().lookup("DE")
Traceback (most recent call last):
  File "<stdin>", line 1, in <module>
  File "/home/ada/.venv/lib/python3.11/site-packages/billing/tax.py", line 41, in lookup
    return self._rows[key]
  File "C:\\work\\venv\\lib\\site-packages\\billing\\rows.py", line 7, in __getitem__
    raise MissingRow(key)
billing.rows.MissingRowError: no row for 'DE'
```
"""


def test_a_python_traceback_gives_frames_inside_the_package() -> None:
    found = find_clues(PYTHON)

    assert found.frames == (StackFrame("billing/tax.py", 41, "lookup"), StackFrame("billing/rows.py", 7, "__getitem__"))
    assert found.paths == (("billing/tax.py", 41), ("billing/rows.py", 7))
    assert found.errors == ("billing.rows.MissingRowError: no row for 'DE'",)
    assert {"TaxTable", "rate_of", "lookup"} <= set(found.identifiers)
    assert {"billing.tax", "billing.tax.TaxTable", "self._rows"} <= set(found.dotted)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('  File "src/a.py", line 3, in f', StackFrame("src/a.py", 3, "f")),
        ("src/a.py:12: in test_f", StackFrame("src/a.py", 12, "test_f")),
        ("src/a.py:12: AssertionError", StackFrame("src/a.py", 12)),
        ("~/lib/python3.9/site-packages/m/axis.py in convert(self, x)\n---> 98     x = 1", StackFrame("m/axis.py", 98, "convert")),
        ("File ~/m/axis.py:98, in convert(self)", StackFrame("~/m/axis.py", 98, "convert")),
        ("    at Cart.total (/srv/shop/src/cart.ts:10:5)", StackFrame("/srv/shop/src/cart.ts", 10, "Cart.total")),
        ("    at async load (file:///srv/a.mjs:1:2)", StackFrame("/srv/a.mjs", 1, "load")),
        ("    at /srv/shop/node_modules/express/lib/router.js:8:3", StackFrame("express/lib/router.js", 8)),
        ("\tat com.shop.Cart.total(Cart.java:55)", StackFrame("com/shop/Cart.java", 55, "com.shop.Cart.total")),
        ("   at Shop.Cart.Total(Int32 a) in /src/Cart.cs:line 9", StackFrame("/src/Cart.cs", 9, "Shop.Cart.Total")),
        ("main.(*Cart).Total(0xc000)\n\t/go/src/shop/cart.go:21 +0x1d", StackFrame("/go/src/shop/cart.go", 21, "main.(*Cart).Total")),
        ("   4: shop::cart::total\n             at ./src/cart.rs:12:5", StackFrame("./src/cart.rs", 12, "shop::cart::total")),
        ("thread 'main' panicked at src/cart.rs:12:5:", StackFrame("src/cart.rs", 12)),
        ("  --> src/cart.rs:7:9", StackFrame("src/cart.rs", 7)),
        ("app/cart.rb:3:in `total'", StackFrame("app/cart.rb", 3, "total")),
        ("#0 /srv/cart.php(12): Cart->total()", StackFrame("/srv/cart.php", 12, "Cart->total")),
        ("#1 0x00007f in total (c=0x1) at src/cart.c:77", StackFrame("src/cart.c", 77, "total")),
    ],
)
def test_frames_of_every_language_are_read(text: str, frame: StackFrame) -> None:
    assert find_clues(f"It broke:\n{text}\n").frames == (frame,)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("see src/shop/cart.py", ("src/shop/cart.py", 0)),
        ("see `./src/cart.py:12`", ("src/cart.py", 12)),
        ("in cart.py:12:5: error", ("cart.py", 12)),
        ("src/cart.ts(12,5): error TS2322: no", ("src/cart.ts", 12)),
        ("in src\\shop\\cart.cs", ("src/shop/cart.cs", 0)),
        ("on line 9 of lib/cart.rb", ("lib/cart.rb", 9)),
        ("in lib/cart.rb, line 9", ("lib/cart.rb", 9)),
        ("tests/test_cart.py::TestCart::test_total fails", ("tests/test_cart.py", 0)),
        ("diff --git a/src/cart.py b/src/cart.py", ("src/cart.py", 0)),
        ("https://github.com/o/shop/blob/0a1b2c/src/cart.py#L10-L20", ("src/cart.py", 10)),
        ("https://raw.githubusercontent.com/o/shop/main/src/cart.py", ("src/cart.py", 0)),
        ("the Makefile is wrong", ("Makefile", 0)),
        ("look into packages/core/", ("packages/core", 0)),
    ],
)
def test_paths_are_found_however_they_are_written(text: str, path: tuple[str, int]) -> None:
    assert find_clues(text).paths == (path,)


@pytest.mark.parametrize(
    "text",
    [
        "and/or, read/write, he/she, I/O",
        "Node.js and Vue.js, e.g. today",
        "self.c and this.h",
        "on 2024/01/02 at 1/2/3",
        "https://example.com/a/b.html",
        "github.com is down",
        "version 1.2.3 of x.y",
    ],
)
def test_prose_with_slashes_and_dots_names_no_path(text: str) -> None:
    assert find_clues(text).paths == ()


def test_names_keep_their_order_and_words_are_no_names() -> None:
    found = find_clues("The `total` of Cart.checkout() calls round_half_up and getVat, then raises E0308; see the docs.")

    assert found.dotted == ("Cart.checkout",)
    assert found.identifiers == ("total", "checkout", "round_half_up", "getVat", "E0308")
    assert found.quoted == ("total",)


def test_rust_and_cpp_paths_become_dotted_names() -> None:
    assert find_clues("call shop::cart::total and ptr->next_item").dotted == ("shop.cart.total", "ptr.next_item")


def test_quotes_of_every_kind_are_verbatim() -> None:
    found = find_clues("It says \"no active cart\", `cart.total()`, 'EUR' and “the end”; don't split isn't.")

    assert found.quoted == ("no active cart", "cart.total()", "EUR", "the end")


def test_templates_of_issues_say_nothing() -> None:
    text = "<!-- please read CONTRIBUTING.md and src/a.py -->\n- [x] I ran make_docs()\n_No response_\nReal: use_this"

    assert find_clues(text).identifiers == ("use_this",)
    assert find_clues(text).paths == ()


def test_an_anchor_of_documentation_is_a_dotted_name() -> None:
    assert find_clues("https://docs.example.org/api.html#shop.cart.Cart.total").dotted == ("shop.cart.Cart.total",)


@given(st.text(max_size=400))
def test_any_text_is_read_and_the_same_text_reads_the_same(text: str) -> None:
    found = find_clues(text)

    assert found == find_clues(text)
    assert all(len(set(part)) == len(part) for part in (found.paths, found.dotted, found.identifiers, found.quoted))


MARKS = ("a.", "/", "\\", ":", "(", ")", "`", '"', "'", "#", "-", ">", "at", "in", "File", "line", "_", "::", "->", "<!--", "1", "\n", "\t")


@given(st.lists(st.sampled_from(MARKS), max_size=200))
def test_any_mixture_of_marks_is_read(marks: list[str]) -> None:
    assert isinstance(find_clues(" ".join(marks)), Clues)
    assert isinstance(find_clues("".join(marks)), Clues)


@pytest.mark.parametrize(
    "unit",
    ["a", "a.", "a/", "`", '"', "'", "(", " ", "\n", "::", "->", "<!--", "https://", "a_", 'File "', "  at a(", "at new ", "#0 in a ",
     "line 1 of ", "a.py:1:", "--> ", "E ", "from a import ", "x.go\n((((\n", "a" * 599 + "\n", "at " + "a." * 290 + "\n", "``a", "- [x] "],
)  # fmt: skip
def test_no_text_takes_more_than_linear_time(unit: str) -> None:
    """A megabyte of anything is read in about 0.2 s; a pattern that backtracked would take minutes."""
    text = unit * (1_000_000 // len(unit))
    start = time.perf_counter()
    find_clues(text)

    assert time.perf_counter() - start < 5
