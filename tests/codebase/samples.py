"""One small program for each language, with what is special in it."""

PYTHON = '''"""What the module is for."""
import os.path
import numpy as np
from . import sibling
from ..pkg.mod import first, second as other

LIMIT = 3
cache: dict = {}


@decorate(LIMIT)
class Shape(Base, abc.ABC, Generic[T], metaclass=Meta):
    """A shape.

        With a deeper line.
    The end.
    """

    sides = 0

    def area(
        self, scale: float = 1.0
    ) -> float:
        """Its area."""
        def helper(value):
            return np.abs(value)
        total = helper(scale) + self.side.length()
        return other(total, key=LIMIT) + other(1)

    @property
    def name(self): return "string with call()"


async def main(): pass
'''

JAVASCRIPT = """import React, { useState as state } from 'react';
import * as tools from './tools';
export { one } from './one';
const { join, sep: separator } = require('path');
const load = require('./load');

/** Draws. */
export default function Draw({ size }) {
  const [count, setCount] = state(size);
  return <Panel onClick={() => setCount(join(count))}>words here</Panel>;
}

class Panel extends React.Component {
  #hidden = 1;
  handle = (event) => { this.props.run(event); };
  static make() { return new Panel(); }
}

const twice = (x) => x * 2, LIMIT = 7;
module.exports.twice = function (y) { return twice(y); };
Panel.prototype.late = function () {};
describe('panel', () => { it(`draws`, () => { expect(Draw).toBe(1); }); });
const table = { open() {}, close: () => 1 };
"""

TYPESCRIPT = """import type { Options } from "./options";

// What a store can do.
export interface Store<T> extends Reader<T>, Closer {
  size: number;
  get(key: string): T;
}

@sealed({ deep: true })
export abstract class Memory<T> extends Base<T> implements Store<T> {
  constructor(private readonly options: Options) { super(options); }
  get(key: string): T { return this.items?.find(key)!.value; }
  abstract flush(): Promise<void>;
}

export type Key = string | number;
export enum Level { Low, High = 2 }
namespace Tools.Deep { export const ZERO = 0; }
declare function outside(x: number): Key;
export const make = async <T,>(key: Key): Promise<Memory<T>> => build<T>(key);
"""

GO = """// Package tree grows.
package tree

import (
	"fmt"
	m "math/big"
	. "strings"
)

// Deepest is a limit.
const Deepest = 10

const (
	Oak = iota
	Elm
)

// Node is one.
type Node struct {
	Base
	*sync.Mutex
	left, right *Node
}

type Walker interface {
	io.Reader
	Walk(n *Node) error
}

// Grow adds.
func (n *Node) Grow(by int, names ...string) (count int, err error) {
	added := fmt.Sprint(by)
	for _, name := range names {
		n.left.attach(name, added)
	}
	return collect[int](m.NewInt(1)), nil
}

func (l List[K]) Len() int { return 0 }

func New() *Node { return &Node{} }
"""

RUST = """//! About the crate.
use std::fmt::{self, Display as Show, io::*};
use crate::parts::Wheel;
mod engine;

/// A car.
#[derive(Debug)]
pub struct Car<T> where T: Power { wheel: T }

pub trait Drive: Move + Stop<u8> {
    const SPEED: u8;
    fn go(&self) -> u8;
    fn park(&self) { self.stop(); }
}

impl<T> Drive for Car<T> where T: Power {
    /// Goes.
    fn go(&self) -> u8 {
        let speed = Self::limit(1)?;
        println!("{}", gears::shift(speed));
        self.wheel.turn::<u8>().count()
    }
}

macro_rules! honk { ($x:expr) => { $x } }
const LIMIT: u8 = 1;
type Garage = Vec<Car<u8>>;

mod tests {
    #[test]
    fn drives() {}
}
"""

JAVA = """package com.shop.cart;

import java.util.List;
import static java.lang.Math.max;
import com.shop.item.*;

/** Holds items. */
@Entity(name = "cart")
public abstract class Cart<T> extends Base<T> implements Closeable, Item.Listener {
  private static final int LIMIT = 1;

  public Cart(int size) throws Full { super(size); }

  @Override
  public <R> List<R> add(final String name, int... more) {
    Order order = new Order<>(name);
    return order.lines().map(line -> line.price());
  }

  abstract void clear();

  enum State { OPEN, DONE { void end() {} } }
  record Line(int count) implements Priced { }
}
"""

C = """#include <stdio.h>
#include "net/socket.h"
#define LIMIT 10
#define SQUARE(x) ((x) * (x))

typedef struct node { int value; struct node *next; } node_t;
struct pair { int a; };
enum color { RED, GREEN = 2 };
typedef int (*callback)(int);

/* Adds. */
static inline int add(int a, int *b)
{
    int sum = combine(a);
    table->run(sum);
    return sum;
}

char *name_of(const node_t *node);
const char *names[] = { "add(1)" };
"""

CPP = """#include <vector>
namespace geo::flat {
using Points = std::vector<Point>;

/// A shape.
template <typename T, int N = 1>
class Shape : public Base<T>, private detail::Other {
 public:
  explicit Shape(int n) : n_(n) { setup(); }
  virtual ~Shape();
  T area() const { return helper::scale<T>(n_); }
  bool operator==(const Shape& other) const;
  enum class Side : int { Left, Right };
 private:
  int n_;
};
}  // namespace geo::flat

int geo::flat::Shape<int>::count(int x) const noexcept { return list.push<int>(x)->done(); }
Out& operator<<(Out& out, const Shape& s) { return out; }
constexpr int LIMIT = 1;
"""

CSHARP = """using System;
using static System.Math;
using Alias = Shop.Core.Item;

namespace Shop.Cart
{
    /// <summary>Holds items.</summary>
    [Serializable]
    public partial class Cart<T> : Base<T>, IClosable where T : new()
    {
        const int Limit = 1;
        public string Name { get; set; } = "x";
        public int Total => lines.Sum(Price);
        public Cart(int size) : base(size) { }
        [Fact]
        public async Task<int> Add<U>(string name)
        {
            var order = await store.Find<U>(name);
            order?.Close();
            return new Order(order).Count();
            int Local(int y) => y;
        }
        public static Cart<T> operator +(Cart<T> a, Cart<T> b) => a;
    }
    public interface IClosable : IDisposable { void Close(); }
    public record Line(int Count);
    public delegate void Changed(int x);
}
"""

RUBY = """require 'json'
require_relative "../lib/tools"

# Everything to sell.
# And more.
module Shop
  VERSION = "1"
  class Cart < Store::Base
    include Enumerable

    # Adds.
    def add(item, count = 1, *rest, tax:, **options, &block)
      price = tools.price(item)
      Order::Line.new(price) { |line| line.save! }
      @total = price
    end

    def self.make; new; end
    private def secret? = true
  end
end

describe Shop::Cart do
  it("adds") { expect(cart).to eq(1) }
end
Point = Struct.new(:x) do
  def far; end
end
"""

PHP = r"""<?php
namespace App\Cart;

use App\Item\Line;
use App\{Store, Log as Journal};
require_once __DIR__ . '/legacy.php';

const LIMIT = 1;

/** Holds items. */
#[Entity]
abstract class Cart extends Base implements Closable, \Other\Thing
{
    use Counts;

    private ?int $total = 1;

    /** Adds. */
    public static function add(int $count, string ...$names): static
    {
        $this->lines->push($count);
        self::check(Journal::write("call($x)"));
        return new Line(\App\helper());
    }
}

trait Counts { function count() {} }
function top($a) { return $a; }
"""

KOTLIN = """package com.shop

import com.shop.item.Line
import com.shop.item.Price as Cost
import kotlin.math.*

/** Holds items. */
@Serializable
abstract class Cart<T>(private val size: Int) : Base<T>(size), Closable {
  constructor() : this(1) { setup() }

  companion object {
    const val LIMIT = 1
    fun make(): Cart = Cart(1)
  }

  @Test override suspend fun <R> add(name: String, vararg more: Line): R {
    val order = name.trim().split(",")
    order.map { it.price() }.forEach { line -> log(line) }
    return order!!.first()
  }

  fun total() = lines.sum()
}

interface Closable : AutoCloseable {
  fun close()
}

enum class State(val code: Int) { OPEN(1), DONE(2) }
object Registry : Store
typealias Names = List<String>
const val TOP = 1
fun String.shout(times: Int): String = repeat(times)
"""

SWIFT = """import Foundation
import struct Shop.Line

/// Holds items.
@available(iOS 13, *)
public final class Cart<T>: Base, Closable where T: Item {
  var lines: [Line] = []
  var total: Int { return lines.reduce(0) }

  init(size: Int) { super.init() }

  @discardableResult
  func add<R>(_ name: String, to list: List) async throws -> R {
    let order = name.trim().split(1)
    guard let first = order.first else { return list.empty() }
    return try await Store.find(first)
  }
}

protocol Closable: AnyObject {
  func close() -> Bool
}

extension Cart: Hashable {
  func hash() {}
}

struct Point { mutating func move() {} }
enum State: String { case open = "x" }
typealias Names = [String]
let top = 1
"""

SHELL = """#!/usr/bin/env bash
PREFIX=/opt
# Puts the old release back.
roll_back() {
  kubectl rollout undo "$1"
}
function drain { roll_back x; }
"""
LUA = """local Player = {}
-- Takes life away.
function Player:hit(amount) self.life = self.life - amount end
Player.heal = function(amount) return amount end
local function clamp(v) return math.max(0, v) end
"""
ELIXIR = """defmodule Shop.Queue do
  def push(order), do: {:ok, order}
  defp trim(list) when is_list(list) do
    Enum.take(list, 10)
  end
end
"""
SCALA = """object Ledger extends Book with Audited {
  def settle(id: Long): Long = check(id)
  case class Posting(amount: Int)
}
trait Audited { def log: Int }
"""
DART = """class Page extends Widget {
  Widget build(Context context) => Text('x');
}
int sum(int a) { return a; }
"""
ZIG = """const Point = struct {
    x: f32,
    pub fn len(self: Point) f32 { return self.x; }
};
pub fn make(size: usize) usize { return size; }
"""
TERRAFORM = """variable "region" {
  default = "x"
}
locals {
  days = 30
}
resource "aws_s3_bucket" "audit" {
  bucket = "b"
}
"""
SQL = """CREATE TABLE IF NOT EXISTS bills (id int, due date);
CREATE UNIQUE INDEX bills_due ON bills (due);
CREATE MATERIALIZED VIEW overdue AS SELECT * FROM bills;
CREATE POLICY tenants ON bills USING (a = b());
"""
MAKE = """IMAGE := app
release: build
\tdocker push $(IMAGE)
build: ; docker build .
"""

SAMPLES = {
    "shell": SHELL,
    "lua": LUA,
    "elixir": ELIXIR,
    "scala": SCALA,
    "dart": DART,
    "zig": ZIG,
    "terraform": TERRAFORM,
    "sql": SQL,
    "makefile": MAKE,
    "python": PYTHON,
    "javascript": JAVASCRIPT,
    "typescript": TYPESCRIPT,
    "tsx": TYPESCRIPT,
    "go": GO,
    "rust": RUST,
    "java": JAVA,
    "c": C,
    "cpp": CPP,
    "csharp": CSHARP,
    "ruby": RUBY,
    "php": PHP,
    "kotlin": KOTLIN,
    "swift": SWIFT,
}
