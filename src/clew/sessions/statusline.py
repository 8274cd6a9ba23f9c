"""Status line: describe a session in one line, for the client's status line and for `clew status`."""

from __future__ import annotations

from typing import Any

from clew.sessions.live import LiveSession

_SEPARATOR = " · "


def format_status_line(live: LiveSession, problem: str = "") -> str:
    """Return one line: `problem` if any, window usage, tokens saved, cache hits, the last packet by layer; unknown parts left out."""
    parts: list[str] = [f"{problem} (clew doctor says more)"] if problem else []
    window = live.window
    if window.limit_tokens:
        share = f"{window.tokens / window.limit_tokens:.0%}" if window.tokens else f"{window.used or 0:.0%}"
        parts.append(f"window {share} of {_short(window.limit_tokens)}")
    if live.reduced:
        parts.append(f"saved {_short(live.saved_tokens)} in {live.reduced} {'output' if live.reduced == 1 else 'outputs'}")
    if window.cache_hits is not None:
        warmth = "" if window.is_warm is None else " warm" if window.is_warm else " cold"
        parts.append(f"cache {window.cache_hits:.0%}{warmth}")
    if live.last_packet.kind:
        parts.append(_packet(live))
    return "clew " + (_SEPARATOR.join(parts) if parts else "ready")


def session_to_json(live: LiveSession, problem: str = "") -> dict[str, Any]:
    """Return a session as the JSON object that `clew status --json` shows."""
    last, window = live.last_packet, live.window
    return {
        "session": live.id, "cwd": live.cwd, "ended": live.ended, "at": int(live.at), "has_mod": bool(live.mod_at),
        "is_owed": bool(live.owed), "line": format_status_line(live, problem),
        "saved_tokens": live.saved_tokens, "reduced": live.reduced,
        "window": {
            "tokens": window.tokens, "limit_tokens": window.limit_tokens, "cache_hits": window.cache_hits, "is_warm": window.is_warm,
        },
        "last_packet": {
            "door": last.kind, "tokens": last.tokens, "entries": last.entries, "layers": last.layers, "took_ms": last.took_ms,
            "why": last.why,
        },
    }  # fmt: skip


def _packet(live: LiveSession) -> str:
    last = live.last_packet
    if live.late > 1:
        return f"prompts: {live.late} too slow here, nothing added"
    if not last.entries:
        return f"last {last.kind}: nothing added"
    layers = ", ".join(f"{name} {_short(tokens)}" for name, tokens in last.layers.items() if tokens)
    return f"last {last.kind}: {last.entries} in {_short(last.tokens)}{f' ({layers})' if layers else ''}"


def _short(tokens: int) -> str:
    if tokens >= 1_000_000:
        return f"{tokens / 1e6:.1f}M"
    return f"{tokens / 1e3:.1f}k" if tokens >= 1_000 else str(tokens)
