"""distil-llm, as its proxy treats Claude Code's requests: lossless folds, digests, and eviction of old tool results.

Its knobs, from the largest window to the smallest: folds without loss (what it does on a subscription); digests (what it
does with an API key); and its eviction on a cold cache, here of as many of the oldest candidates as must go, where the
proxy would evict all of them at once. Originals stay in memory (`persist=False`): nothing is asked back here.
"""

import time

from distil.adapters.anthropic import cold_candidates, compress_messages
from window import is_within, most, newest, pieces_of, serve, text_of

UNCACHED = 2  # of the user's messages: as many as it keeps whole itself (RECENCY_KEEP_TURNS)


def compress(messages, budget_tokens, query):
    """Return the largest window within the budget, or the newest part of the smallest."""
    del query  # it takes what is looked for from the last messages itself
    messages = _marked(messages)
    for is_verbatim, note in ((True, "folds without loss"), (False, "digests")):
        pieces, ms = _compressed(messages, verbatim=is_verbatim)
        if is_within(pieces, budget_tokens):
            return text_of(pieces), ms, note
    started = time.perf_counter()
    candidates = cold_candidates(messages)
    choosing_ms = (time.perf_counter() - started) * 1000
    ordered = [
        block["tool_use_id"]
        for message in messages
        for block in (message["content"] if isinstance(message["content"], list) else ())
        if block.get("type") == "tool_result" and block["tool_use_id"] in candidates
    ]
    tried = {}

    def fits(kept):
        evicted = frozenset(ordered[: len(ordered) - kept])
        tried[kept] = _compressed(messages, verbatim=False, evict=evicted)
        return is_within(tried[kept][0], budget_tokens)

    kept = 0 if not ordered or not fits(0) else most(0, len(ordered) - 1, fits)
    note = f"digests; {len(ordered) - kept} of {len(ordered)} old results evicted"
    pieces, ms = tried[kept] if kept in tried else _compressed(messages, verbatim=False)
    ms += choosing_ms
    if is_within(pieces, budget_tokens):
        return text_of(pieces), ms, note
    return newest(pieces, budget_tokens), ms, f"{note}; above the budget, its newest part kept"


def _marked(messages):
    users = [index for index, message in enumerate(messages) if message["role"] == "user" and isinstance(message["content"], list)]
    if len(users) <= UNCACHED:
        return messages
    index = users[-UNCACHED - 1]
    *before, last = messages[index]["content"]
    marked = {**messages[index], "content": [*before, {**last, "cache_control": {"type": "ephemeral"}}]}
    return [*messages[:index], marked, *messages[index + 1 :]]


def _compressed(messages, **chosen):
    started = time.perf_counter()
    compressed, _ = compress_messages(messages, persist=False, **chosen)
    return pieces_of(compressed), (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    serve(compress)
