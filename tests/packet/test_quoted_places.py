# ruff: noqa: E501, ISC004  traces and sources stand as they are
"""What a question quotes stands first: a path, a line, the frames of a trace; and what is nowhere is called so."""

from __future__ import annotations

from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.records import MatchKind, Packet, RemarkKind
from clew.records.wording import describe_remark

FILLER = "".join(
    f"def unpack_parcel_{at}(parcel, error, value, index):\n    return parcel[index] or error or value\n\n\n" for at in range(30)
)
SOURCES = {
    "app/users/[id]/page.tsx": "export function UserPage() {\n  return 1;\n}\n",
    "app/orders/[id]/page.tsx": "export function OrderPage() {\n  return 1;\n}\n",
    "app/(auth)/login/page.tsx": "export function LoginPage() {\n  return 1;\n}\n",
    "docs/release notes.md": "# Notes\n\nNothing to see.\n",
    "src/shop/cart.py": "class Cart:\n    def add(self, item):\n        self.items.append(item)\n        return item\n\n    def drop(self, item):\n"
    "        self.items.remove(item)\n        return item\n",
    "src/shop/till.py": "def pay(cart):\n    total = cart.add(1)\n    return total\n\n\ndef refund(cart):\n    return cart.drop(1)\n",
    "pkg/store/store.go": "package store\n\nfunc Open(name string) int {\n\tx := len(name)\n\treturn x\n}\n",
    "src/main/java/com/acme/shop/Basket.java": "package com.acme.shop;\n\nclass Basket {\n  int add(int item) {\n    int x = item;\n    return x;\n  }\n}\n",
    "src/main/java/com/acme/depot/Basket.java": "package com.acme.depot;\n\nclass Basket {\n  int add(int item) {\n    int x = item;\n    return x;\n  }\n}\n",
    "web/src/router.js": "function match(path) {\n  const parts = path.split('/');\n  return parts;\n}\nmodule.exports = { match };\n",
    "lib/queue.rb": "class Queue\n  def push_job(job)\n    @jobs << job\n    job\n  end\nend\n",
    "src/Mailer.cs": "class Mailer {\n  int Deliver(int mail) {\n    int x = mail;\n    return x;\n  }\n}\n",
    "src/Mailer.php": "<?php\nclass Mailer {\n  function deliver($mail) {\n    $x = $mail;\n    return $x;\n  }\n}\n",
    "lib/boat.dart": "class Boat {\n  int row(int index) {\n    return index;\n  }\n}\n",
    "misc/parcels.py": FILLER,
}


def ask(engine: Engine, repo: Path, question: str, budget_tokens: int = 800) -> Packet:
    return engine.retrieve(repo, question, budget_tokens=budget_tokens, tokenizer="chars4")


PYTHON = """Traceback (most recent call last):
  File "/usr/src/app/src/shop/till.py", line 2, in pay
    total = cart.add(1)
  File "/usr/src/app/src/shop/cart.py", line 3, in add
    self.items.append(item)
ValueError: invalid value in unpack_parcel_3
"""
TRACES = {
    "a Python traceback": (PYTHON, "src/shop/cart.py", "Cart.add", 3),
    "a log of one line": (PYTHON.replace("\n", "\\n").replace('"', '\\"'), "src/shop/cart.py", "Cart.add", 3),
    "a trace in colours": (PYTHON.replace("File", "\x1b[31mFile\x1b[0m"), "src/shop/cart.py", "Cart.add", 3),
    "a chain of causes": (
        PYTHON + "\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n"
        '  File "/usr/src/app/src/shop/till.py", line 7, in refund\nRuntimeError: no\n',
        "src/shop/cart.py", "Cart.add", 3,
    ),
    "pytest": (
        "src/shop/till.py:2: in pay\n    total = cart.add(1)\nsrc/shop/cart.py:3: in add\n    self.items\nE   ValueError: x\n",
        "src/shop/cart.py", "Cart.add", 3,
    ),
    "Go": (
        "panic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain.x(...)\n\t/usr/local/go/src/runtime/panic.go:884 +0x1\n"
        "pkg/store.Open(...)\n\t/home/dev/repo/pkg/store/store.go:4 +0x1d\n",
        "pkg/store/store.go", "Open", 4,
    ),
    "Java": (
        "java.lang.IllegalStateException: x\n\tat java.util.ArrayList.add(ArrayList.java:12)\n\tat com.acme.depot.Basket.add(Basket.java:5)\n"
        "\tat com.acme.shop.Basket.add(Basket.java:6)\n",
        "src/main/java/com/acme/depot/Basket.java", "Basket.add", 5,
    ),
    "Java, caused by": (
        "java.lang.IllegalStateException: x\n\tat com.acme.depot.Basket.add(Basket.java:5)\nCaused by: java.io.IOException: y\n"
        "\tat com.acme.shop.Basket.add(Basket.java:6)\n",
        "src/main/java/com/acme/shop/Basket.java", "Basket.add", 6,
    ),
    "JavaScript": (
        "TypeError: x\n    at match (file:///app/web/src/router.js:2:17)\n    at node:internal/main:12:3\n",
        "web/src/router.js", "match", 2,
    ),
    "Ruby": ("lib/queue.rb:3:in `push_job': undefined method (NoMethodError)\n", "lib/queue.rb", "Queue.push_job", 3),
    "C#": ("   at Mailer.Deliver(Int32 mail) in C:\\work\\src\\Mailer.cs:line 3\n", "src/Mailer.cs", "Mailer.Deliver", 3),
    "PHP": ("PHP Fatal error: Uncaught E in /var/www/src/Mailer.php:4\n#0 {main}\n", "src/Mailer.php", "Mailer.deliver", 4),
    "a compiler": ("src/shop/cart.py:7: error: unpack_parcel_3 has an invalid index", "src/shop/cart.py", "Cart.drop", 7),
    "brackets": ("app/users/[id]/page.tsx:2:3 - error: invalid value", "app/users/[id]/page.tsx", "UserPage", 2),
    "parentheses": ("app/(auth)/login/page.tsx(2,3): error: invalid value", "app/(auth)/login/page.tsx", "LoginPage", 2),
    "a side of a diff": ("b/src/shop/cart.py:7: invalid value", "src/shop/cart.py", "Cart.drop", 7),
    "words": ("on line 7 of src/shop/cart.py the index is an invalid value", "src/shop/cart.py", "Cart.drop", 7),
    "Maven": ("[ERROR] /home/u/src/main/java/com/acme/shop/Basket.java:[6,41] cannot find symbol", "src/main/java/com/acme/shop/Basket.java", "Basket.add", 6),
    "an old IPython": ("~/x/src/shop/cart.py in add(self, item)\n      2     def add(self, item):\n----> 3         self.items.append(item)\n", "src/shop/cart.py", "Cart.add", 3),
    "a link": ("https://github.com/acme/shop/blob/main/src/shop/cart.py#L6-L8 is an invalid value", "src/shop/cart.py", "Cart.drop", 6),
    "an annotation": ("::error file=src/shop/cart.py,line=7,col=3::invalid value", "src/shop/cart.py", "Cart.drop", 7),
    "ESLint": ("/home/u/web/src/router.js\n  2:17  error  an invalid value  no-bad-index\n", "web/src/router.js", "match", 2),
    "a list of an editor": ("src/shop/cart.py|7 col 3| error: invalid value", "src/shop/cart.py", "Cart.drop", 7),
    "a header that leads to the error": (
        "In file included from pkg/store/store.go:1,\n                 from src/shop/till.py:1:\nsrc/shop/cart.py:7:2: error: x\n",
        "src/shop/cart.py", "Cart.drop", 7,
    ),
    "Dart": ("RangeError: x\n#0      List.[] (dart:core/list.dart:2:3)\n#1      Boat.row (package:boats/boat.dart:3:5)\n", "lib/boat.dart", "Boat.row", 3),
    "a moved line": ('Traceback:\n  File "src/shop/till.py", line 90, in refund\nE', "src/shop/till.py", "refund", 7),
}  # fmt: skip


@pytest.mark.parametrize("form", TRACES)
@pytest.mark.parametrize("budget_tokens", [150, 1_000])
def test_the_innermost_symbol_at_a_quoted_line_stands_first_and_is_shown(engine: Engine, repo: Path, form: str, budget_tokens: int) -> None:
    text, path, name, line = TRACES[form]

    packet = ask(engine, repo, text, budget_tokens)

    first = packet.entries[0]
    assert (first.path, first.name) == (path, name)
    assert first.start <= line <= first.end
    assert packet.tokens + packet.fence_tokens <= budget_tokens
    assert engine.rank_files(repo, text, limit=3).files[0].path == path


@pytest.mark.parametrize(
    ("question", "path"),
    [
        ("the title in app/users/[id]/page.tsx is wrong", "app/users/[id]/page.tsx"),
        ("docs/release notes.md says nothing", "docs/release notes.md"),
        ("why is src\\shop\\till.py slow?", "src/shop/till.py"),
        ("src/shop/cart.py::Cart::drop fails", "src/shop/cart.py"),
    ],
)
def test_a_quoted_path_leads_a_short_question(engine: Engine, repo: Path, question: str, path: str) -> None:
    first = ask(engine, repo, question).entries[0]

    assert first.path == path
    assert any("its path is quoted" in clew.records.wording.describe_reason(reason) for reason in first.why)


@pytest.mark.parametrize(
    "question",
    [
        "panic: x\n\t/go/pkg/mod/github.com/x/y@v1.2.0/store.go:4 +0x1",
        "    at match (/home/u/app/node_modules/path/router.js:2:16)",
        '  File "/usr/lib/python3.12/cart.py", line 3, in add\nKeyError: 1',
        "/opt/other/queue.rb:3: error: x",
        "   0: Queue::push\n      at /usr/lib/ruby/3.3.0/queue.rb:3",
    ],
)
def test_a_file_of_another_place_is_not_called_quoted(engine: Engine, repo: Path, question: str) -> None:
    packet = ask(engine, repo, question)

    kinds = {reason.kind for entry in packet.entries for reason in entry.why}
    assert kinds.isdisjoint((MatchKind.PATH, MatchKind.LINE, MatchKind.FRAME, MatchKind.FRAME_FILE))
    assert {remark.kind for remark in packet.remarks} <= {RemarkKind.FRAMES_OUTSIDE, RemarkKind.NO_SUCH_PATH, RemarkKind.LITTLE_EVIDENCE}


def test_frames_of_a_runtime_are_named_as_outside(engine: Engine, repo: Path) -> None:
    text = "TypeError: x\n    at match (/srv/web/src/router.js:2:16)\n    at Module._compile (node:internal/modules/cjs/loader:1105:14)\n"

    [remark] = ask(engine, repo, text).remarks

    assert remark.values == ("node:internal/modules/cjs/loader:1105",)


def test_a_frame_of_a_minified_file_at_an_address_is_named_as_such(engine: Engine, repo: Path) -> None:
    text = "TypeError: x\n    at e.n (https://cdn.example.com/app.3f2a.min.js:1:20345)\n"

    first = ask(engine, repo, text).remarks[0]

    assert first.kind is RemarkKind.MINIFIED_FRAMES
    assert first.values == ("https://cdn.example.com/app.3f2a.min.js:1",)


def test_a_path_in_a_submodule_is_not_taken_for_one_of_the_same_name_outside(engine: Engine, repo: Path) -> None:
    (repo / "parts/src/shop").mkdir(parents=True)
    (repo / "parts/.git").write_text("gitdir: ../.git/modules/parts\n")
    (repo / "parts/src/shop/cart.py").write_text("def other(): pass\n")

    said = [describe_remark(remark) for remark in ask(engine, repo, "parts/src/shop/cart.py").remarks]

    assert said == ["Not read, because it belongs to a repository of its own: parts/src/shop/cart.py."]


def test_a_name_that_a_file_or_a_folder_bears_is_not_called_absent(engine: Engine, repo: Path) -> None:
    (repo / "src/paymentgateway").mkdir()
    (repo / "src/paymentgateway/shopping-basket.js").write_text("export function load(x) { return x; }\n")
    engine.index(repo)

    assert not ask(engine, repo, "PaymentGateway").remarks
    assert not ask(engine, repo, "shopping_basket").remarks


def test_a_question_that_is_one_name_begins_with_what_bears_it(engine: Engine, repo: Path) -> None:
    (repo / "ops.cpp").write_text(
        "struct Cash {\n  long cents;\n  void RoundDown(int step);\n  Cash& operator=(const Cash& other);\n};\n"
        "Cash operator+(Cash a, Cash b) { return {a.cents + b.cents}; }\nbool operator==(Cash a, Cash b) { return a.cents == b.cents; }\n"
    )
    (repo / "pay.sol").write_text("contract Pot {\n  function payDividend(uint a) public { }\n}\n")
    (repo / "src/pay_dividend_rates.py").write_text("def pay(dividend):\n    return dividend\n")
    engine.index(repo)

    assert ask(engine, repo, "operator+").entries[0].name == "operator+"
    assert ask(engine, repo, "operator==").entries[0].name == "operator=="
    assert ask(engine, repo, "RoundDown").entries[0].name == "Cash.RoundDown"
    assert ask(engine, repo, "payDividend").entries[0].path == "pay.sol"


def test_a_file_name_steers_no_terminal(engine: Engine, repo: Path) -> None:
    (repo / "\x1b[31m\u202ex.py").write_text("def anchor_winch(): pass\n")
    engine.index(repo)

    text = ask(engine, repo, "anchor_winch").text

    assert "\\x1b[31m\\u202ex.py" in text
    assert "\x1b" not in text


def test_frames_of_a_trace_follow_from_the_error_outwards_and_foreign_ones_are_named(engine: Engine, repo: Path) -> None:
    text = PYTHON.replace("ValueError", '  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode\nValueError')

    packet = ask(engine, repo, text)

    assert [entry.name for entry in packet.entries[:2]] == ["Cart.add", "pay"]
    [remark] = packet.remarks
    assert remark.kind is RemarkKind.FRAMES_OUTSIDE
    assert "decoder.py:355" in describe_remark(remark)
    assert describe_remark(remark) in packet.text


def test_a_long_function_shows_the_lines_around_a_quoted_one(engine: Engine, repo: Path) -> None:
    body = "".join(f"    step_{at} = {at}\n" for at in range(400))
    (repo / "long.py").write_text(f"def long():\n{body}")
    engine.index(repo)

    first = ask(engine, repo, "long.py:200: error", 200).entries[0]

    assert (first.name, first.is_whole) == ("long", False)
    assert first.start <= 200 <= first.end
    assert "step_198 = 198" in first.text


@pytest.mark.parametrize(("asked", "nearest"), [("Cart.dorp", "drop"), ("unpack_parsel_3", "unpack_parcel_3"), ("frobnicate", "")])
def test_a_name_that_is_nowhere_is_called_so_with_the_nearest(engine: Engine, repo: Path, asked: str, nearest: str) -> None:
    packet, files = ask(engine, repo, asked), engine.rank_files(repo, asked, limit=5)

    said = next(remark for remark in packet.remarks if remark.kind is RemarkKind.NO_SUCH_NAME)
    assert said.values[0] == asked.rpartition(".")[2]
    assert nearest in "\n".join(said.values[1:])
    assert packet.text.startswith("No such name here: ")
    assert any(remark.kind is said.kind and remark.values[0] == said.values[0] for remark in files.remarks)
    assert all(entry.weight < 1 for entry in packet.entries)
    assert all(file.score < 1 for file in files.files)


@pytest.mark.parametrize("asked", ["Cart.drop", "push_job", "cart", "PushJob", "unpack_parcel_3"])
def test_a_name_that_is_there_is_not_called_absent(engine: Engine, repo: Path, asked: str) -> None:
    assert not ask(engine, repo, asked).remarks


def test_a_packet_without_evidence_says_so(engine: Engine, repo: Path) -> None:
    packet = ask(engine, repo, "xylophone quetzal")

    assert not packet.entries
    assert [remark.kind for remark in packet.remarks] == [RemarkKind.NO_EVIDENCE]
    assert "No evidence" in packet.text
