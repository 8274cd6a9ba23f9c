"""Window: what a rival's messages look like as text, what of them fits, and the worker's talk with the harness.

Run by the rival's own interpreter, so it knows nothing of the harness. Whatever the rival prints goes to standard error.
"""

import json
import os
import sys

CHARS_PER_TOKEN = 4  # the harness's measure
JOINT = "\n\n"


def serve(compress):
    """Answer each line of standard input with compress(messages, budget_tokens, query) until the input ends.

    compress returns (text, milliseconds of the rival's own work, note).
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        text, ms, note = compress(asked["messages"], asked["budget_tokens"], asked.get("query", ""))
        answer = {"id": asked["id"], "text": text, "tokens": tokens_of(text), "ms": round(ms, 3), "note": note}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def tokens_of(text):
    """Return the tokens of a text: a quarter of its characters, rounded up."""
    return -(-len(text) // CHARS_PER_TOKEN)


def pieces_of(messages):
    """Return the texts of all blocks in order; arguments of calls stand in their own lines, not escaped."""
    pieces = []
    for message in messages:
        role, content = message.get("role", ""), message.get("content")
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content or []:
            kind = block.get("type")
            if kind == "text":
                pieces.append(f"[{role}]\n{block.get('text', '')}")
            elif kind == "tool_use":
                pieces.append(call_text(block.get("name", ""), block.get("input")))
            elif kind == "tool_result":
                pieces.append(f"[result]\n{_plain(block.get('content'))}")
            else:
                pieces.append(f"[{role}]\n{json.dumps(block, ensure_ascii=False)}")
    return pieces


def call_text(name, arguments):
    """Return a call as text: the tool, then each argument."""
    return "\n".join([f"[call {name}]", *_arguments(arguments, "")])


def text_of(pieces):
    """Return the window's text."""
    return JOINT.join(pieces)


def is_within(pieces, budget_tokens):
    """Say whether all pieces together fit."""
    return tokens_of(text_of(pieces)) <= budget_tokens


def newest(pieces, budget_tokens, pinned=0):
    """Return the first `pinned` pieces and the newest of the others that fit, and of the next one its last whole lines.

    Pinned pieces are cut from their end when they alone are above the budget.
    """
    left = budget_tokens * CHARS_PER_TOKEN
    head = text_of(pieces[:pinned])[:left]
    kept = []
    left -= len(head) + (len(JOINT) if head else 0)
    for piece in reversed(pieces[pinned:]):
        if len(piece) > left:
            lines = piece.split("\n")
            tail, size = [], -1
            while lines and size + len(lines[-1]) + 1 <= left:
                size += len(lines[-1]) + 1
                tail.append(lines.pop())
            if tail:
                kept.append("\n".join(reversed(tail)))
            break
        kept.append(piece)
        left -= len(piece) + len(JOINT)
    return text_of([*([head] if head else []), *reversed(kept)])


def most(low, high, fits):
    """Return the greatest number from `low` to `high` for which fits(number) is true, or None; fits falls only once."""
    best = None
    while low <= high:
        middle = (low + high) // 2
        if fits(middle):
            best, low = middle, middle + 1
        else:
            high = middle - 1
    return best


def _plain(content):
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") if isinstance(block, dict) else str(block) for block in content or [])


def _arguments(value, name):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _arguments(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(inner, (dict, list)) for inner in value):
        for index, inner in enumerate(value):
            yield from _arguments(inner, f"{name}.{index}")
    elif isinstance(value, str):
        yield f"{name}:\n{value}" if "\n" in value else f"{name}: {value}"
    else:
        yield f"{name}: {json.dumps(value, ensure_ascii=False)}"
