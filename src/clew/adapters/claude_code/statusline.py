"""Status line: one line for the client's status line, and the same for `clew status`. Says what it knows, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from clew.adapters.claude_code.sessions import Live, Window

BETWEEN = " · "


def window_of(payload: Mapping[str, Any]) -> Window | None:
    """What the client says of its window and of its cache; None where it says nothing of either."""
    window, cache = _mapping(payload.get("context_window")), _mapping(payload.get("prompt_cache"))
    if not window and not cache:
        return None
    usage = _mapping(window.get("current_usage"))
    used = _number(window.get("used_percentage"))
    hits = _number(cache.get("hit_ratio"))
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    tokens = int(sum(_number(usage.get(name)) or 0 for name in names))
    is_warm = cache.get("warm")
    return Window(
        tokens=tokens,
        limit_tokens=int(_number(window.get("context_window_size")) or 0),
        used=None if used is None else used / 100,
        cache_hits=hits,
        is_warm=is_warm if isinstance(is_warm, bool) else None,
    )


def line(live: Live, trouble: str = "") -> str:
    """Return the line: what is wrong, the window, what was saved of it, the cache, the last packet by layer."""
    parts: list[str] = [f"{trouble} (clew doctor says more)"] if trouble else []
    window = live.window
    if window.limit_tokens:
        share = f"{window.tokens / window.limit_tokens:.0%}" if window.tokens else f"{window.used or 0:.0%}"
        parts.append(f"window {share} of {_short(window.limit_tokens)}")
    if live.reduced:
        parts.append(f"saved {_short(live.saved_tokens)} in {live.reduced} {'output' if live.reduced == 1 else 'outputs'}")
    if window.cache_hits is not None:
        warmth = "" if window.is_warm is None else " warm" if window.is_warm else " cold"
        parts.append(f"cache {window.cache_hits:.0%}{warmth}")
    if live.told.door:
        parts.append(_packet(live))
    return "clew " + (BETWEEN.join(parts) if parts else "ready")


def as_json(live: Live, trouble: str = "") -> dict[str, Any]:
    """A session as `clew status` shows it."""
    told, window = live.told, live.window
    return {
        "session": live.id, "cwd": live.cwd, "ended": live.ended, "at": int(live.at), "has_mod": bool(live.mod_at),
        "is_owed": bool(live.owed), "line": line(live, trouble),
        "saved_tokens": live.saved_tokens, "reduced": live.reduced,
        "window": {
            "tokens": window.tokens, "limit_tokens": window.limit_tokens, "cache_hits": window.cache_hits, "is_warm": window.is_warm,
        },
        "last_packet": {
            "door": told.door, "tokens": told.tokens, "entries": told.entries, "layers": told.layers, "took_ms": told.took_ms,
            "why": told.why,
        },
    }  # fmt: skip


def _packet(live: Live) -> str:
    told = live.told
    if live.late > 1:
        return f"prompts: {live.late} too slow here, nothing added"
    if not told.entries:
        return f"last {told.door}: nothing added"
    layers = ", ".join(f"{name} {_short(tokens)}" for name, tokens in told.layers.items() if tokens)
    return f"last {told.door}: {told.entries} in {_short(told.tokens)}{f' ({layers})' if layers else ''}"


def _short(tokens: int) -> str:
    if tokens >= 1_000_000:
        return f"{tokens / 1e6:.1f}M"
    return f"{tokens / 1e3:.1f}k" if tokens >= 1_000 else str(tokens)


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
