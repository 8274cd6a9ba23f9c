"""Speak: the conversation of a worker with the harness, one JSON object a line, on what was standard output.

Run by the rival's own interpreter, so it knows nothing of the harness. Whatever the rival prints goes to standard error.
"""

import json
import os
import sys


def serve(index, query):
    """Answer "index" with index(tree) and "query" with query(text, budget_tokens), until the input ends.

    query returns (spans, text): spans are [path, first line, last line, is its text shown]; text is the rival's own
    packet, or None where the harness is to show the spans.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["op"] == "index":
            index(asked["tree"])
            answer = {}
        else:
            spans, text = query(asked["text"], asked["budget"])
            answer = {"spans": spans, "text": text}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
