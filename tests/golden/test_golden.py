"""Packets for three tiny repositories, as reviewed. A change of ranking or of rendering shows in the diff.

To review a change: `UPDATE_GOLDEN=1 pytest tests/golden`, then read `git diff tests/golden`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import clew
from clew.records.wording import describe_reason
from clew.settings import Settings

HERE = Path(__file__).parent

SHOP = {
    "shop/__init__.py": "",
    "shop/cart.py": '''"""The cart."""

from shop.money import Money, round_half_even
from shop.stock import reserve


class Cart:
    """Articles that a customer wants."""

    currency = "EUR"

    def __init__(self) -> None:
        self.lines: list[tuple[str, int, Money]] = []

    def add(self, article: str, count: int, price: Money) -> None:
        """Reserve the article, then put it in."""
        reserve(article, count)
        self.lines.append((article, count, price))

    def total(self) -> Money:
        """Sum of all lines, rounded once at the end."""
        return round_half_even(sum((count * price for _, count, price in self.lines), Money(0)))
''',
    "shop/money.py": '''"""Amounts of money."""

from decimal import ROUND_HALF_EVEN, Decimal

Money = Decimal
CENT = Decimal("0.01")


def round_half_even(amount: Money) -> Money:
    """Round to cents, halves to the even cent."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)
''',
    "shop/stock.py": '''class OutOfStock(Exception):
    """Nothing left of an article."""


_left = {"pen": 3}


def reserve(article: str, count: int) -> None:
    """Take articles out of the stock, or raise OutOfStock."""
    if _left.get(article, 0) < count:
        raise OutOfStock(article)
    _left[article] -= count
''',
    "tests/test_cart.py": """from shop.cart import Cart


def test_total_rounds_once() -> None:
    assert Cart().total() == 0
""",
}
WEB = {
    "package.json": '{"name": "clock", "dependencies": {}}\n',
    "src/clock.ts": """import { pad } from "./format";

/** A clock that ticks once a second. */
export class Clock {
  private timer?: number;

  /** Start ticking; calling it twice does nothing. */
  start(onTick: (text: string) => void): void {
    if (this.timer !== undefined) return;
    this.timer = setInterval(() => onTick(this.render(new Date())), 1000);
  }

  render(now: Date): string {
    return `${pad(now.getHours())}:${pad(now.getMinutes())}`;
  }
}
""",
    "src/format.ts": """export function pad(value: number): string {
  return String(value).padStart(2, "0");
}
""",
    "server/main.go": """package main

import "net/http"

// serveTime answers with the time of day.
func serveTime(w http.ResponseWriter, r *http.Request) {
	w.Write([]byte("12:00"))
}

func main() {
	http.HandleFunc("/time", serveTime)
}
""",
}
NOTES = {
    "README.md": """# Ferry

Crosses the lake.

## Timetable

The ferry leaves at eight and at noon.

## Tickets

A ticket costs two coins. Children ride free.
""",
    "config.toml": """[ferry]
seats = 40

[tickets]
price = 2
children = 0
""",
    "docs/safety.rst": """Safety
======

Life jackets are under the seats.
""",
}
CASES = [
    ("shop", SHOP, "total of the cart is rounded wrong in Cart.total", 300),
    ("shop-trace", SHOP, 'Traceback:\n  File "shop/stock.py", line 11, in reserve\nshop.stock.OutOfStock: pen', 190),
    ("web", WEB, "the clock shows minutes without a leading zero", 220),
    ("web-go", WEB, "which function answers /time?", 150),
    ("notes", NOTES, "what does a ticket cost for children?", 150),
]


@pytest.mark.parametrize(("name", "files", "question", "budget_tokens"), CASES, ids=[case[0] for case in CASES])
def test_the_packet_is_as_reviewed(tmp_path: Path, name: str, files: dict[str, str], question: str, budget_tokens: int) -> None:
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    engine = clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True)
    engine.index(tmp_path)

    packet = engine.retrieve(tmp_path, question, budget_tokens=budget_tokens, tokenizer="chars4")

    why = "".join(
        f"{entry.resolution.label:9} {entry.path}:{entry.start}-{entry.end} {entry.name}: {'; '.join(map(describe_reason, entry.why))}\n"
        for entry in packet.entries
    )
    shown = f"? {question}\n\n{packet.text}\n{packet.tokens} and {packet.fence_tokens} for the fence, of {budget_tokens} tokens\n{why}"
    golden = HERE / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(shown)
    assert shown == golden.read_text()


def test_the_map_is_as_reviewed(tmp_path: Path) -> None:
    for path, text in SHOP.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    engine = clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True)
    engine.index(tmp_path)

    packet = engine.build_map(tmp_path, budget_tokens=300, tokenizer="chars4")

    why = "".join(
        f"{entry.resolution.label:9} {entry.path}:{entry.start}-{entry.end} {entry.name}: {'; '.join(map(describe_reason, entry.why))}\n"
        for entry in packet.entries
    )
    shown = f"{packet.text}\n{packet.tokens} and {packet.fence_tokens} for the fence, of 300 tokens\n{why}"
    golden = HERE / "shop-map.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(shown)
    assert shown == golden.read_text()
