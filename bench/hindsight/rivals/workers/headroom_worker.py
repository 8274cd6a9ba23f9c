"""headroom-ai offline: its library's two regimes, and the content router of its proxy with the profiles for coding agents.

Its text model (Kompress) lies on a model hub and is not in any package. In its place stands what headroom itself puts there
for text that is too long for the model: its extractive TextCrusher, here for text of every length. What is relevant is
scored by its BM25, as it does when its embedding model is not there. It has no size to ask for; the settings below are
tried, and the largest window that fits is taken.
"""

import importlib
import json
import os
import time
from functools import lru_cache
from types import SimpleNamespace

from window import is_within, newest, pieces_of, serve, text_of

MODEL, MODEL_LIMIT = "claude-sonnet-4-5-20250929", 200_000  # its defaults
CRUSHED_SHARE = 0.1  # of its TextCrusher, in the smallest setting; the profile agent-90 asks its model for as much
OFFLINE = {
    "HEADROOM_OFFLINE": "1",
    "HEADROOM_TELEMETRY": "off",
    "HEADROOM_TEXT_CRUSHER": "1",
    "HEADROOM_KOMPRESS_MAX_TOKENS": "1",  # no text is short enough for the model that is not there
    "HEADROOM_COMPRESS_WORKERS": "1",
    "HEADROOM_COMPRESSION_DEADLINE_MS": "600000",  # a slow machine gets the same window as a fast one
    "HEADROOM_DETECT_TIMEOUT_SECS": "120",
}
os.environ.update(OFFLINE)

from headroom import compress as library  # noqa: E402  it reads its environment when it is loaded
from headroom.agent_savings import proxy_pipeline_kwargs  # noqa: E402
from headroom.config import ReadLifecycleConfig  # noqa: E402
from headroom.transforms import TransformPipeline  # noqa: E402
from headroom.transforms.content_router import ContentRouter, ContentRouterConfig  # noqa: E402
from headroom.transforms.text_crusher import TextCrusherConfig  # noqa: E402

_PROXY = {"enable_code_aware": True, "enable_cross_turn_dedup": True, "lossless_then_lossy": True}
_TOKEN_MODE = {**_PROXY, "search_group_by_file": True, "protect_recent_reads_fraction": 0.3}  # as its proxy sets that mode
_EVERYTHING = {
    **_TOKEN_MODE,
    "exclude_tools": set(),
    "protect_recent_reads_fraction": 0.01,  # 0 would protect them all
    "compress_assistant_text_blocks": True,
    "read_lifecycle": ReadLifecycleConfig(compress_superseded=True),
    "text_crusher": TextCrusherConfig(target_ratio=CRUSHED_SHARE),
}


def compress(messages, budget_tokens, query):
    """Return the largest window within the budget, or the newest part of what its profile for coding agents makes.

    The gentler settings are tried only where the last one, which leaves the least, fits: each takes seconds.
    """
    told = json.dumps(messages)
    is_hopeless = not is_within(_window(told, query, SMALLEST)[0], budget_tokens)
    windows = {name: _window(told, query, name) for name in ([CUT] if is_hopeless else SETTINGS)}
    fitting = [name for name, (pieces, _) in windows.items() if is_within(pieces, budget_tokens)]
    if fitting:
        chosen = max(fitting, key=lambda name: len(text_of(windows[name][0])))
        pieces, ms = windows[chosen]
        return text_of(pieces), ms, chosen
    pieces, ms = windows[CUT]
    return newest(pieces, budget_tokens), ms, f"{CUT}; above the budget like {SMALLEST}, its newest part kept"


@lru_cache(maxsize=5)  # budgets of one history are asked one after the other, and no setting depends on the budget
def _window(told, query, name):
    started = time.perf_counter()
    compressed = SETTINGS[name](json.loads(told), query)
    return pieces_of(compressed), (time.perf_counter() - started) * 1000


def _library(**chosen):
    def attempt(messages, query):
        del query  # it takes what is looked for from the messages itself
        module = importlib.import_module("headroom.compress")
        module._pipeline = module._agent_pipeline = None  # noqa: SLF001  what was kept from the last answer would be timed
        return library(messages, model=MODEL, model_limit=MODEL_LIMIT, **chosen).messages

    return attempt


def _proxy(profile, *, is_reads_protected, **router):
    def attempt(messages, query):
        os.environ["HEADROOM_PROTECT_READS"] = "1" if is_reads_protected else "0"
        asked = proxy_pipeline_kwargs(SimpleNamespace(savings_profile=profile))
        config = ContentRouterConfig(
            skip_user_messages=not asked["compress_user_messages"],
            smart_crusher_max_items_after_crush=asked["max_items_after_crush"],
            smart_crusher_with_compaction=asked["smart_crusher_with_compaction"],
            **router,
        )
        pipeline = TransformPipeline(transforms=[ContentRouter(config)])
        return pipeline.apply(messages=messages, model=MODEL, model_limit=MODEL_LIMIT, context=query, **asked).messages

    return attempt


SETTINGS = {
    "library, lossless": _library(mode="agent"),
    "library, defaults": _library(),
    "profile coding": _proxy("coding", is_reads_protected=True, **_PROXY),
    "profile agent-90, token mode": _proxy("agent-90", is_reads_protected=False, **_TOKEN_MODE),
    "profile agent-90, everything": _proxy("agent-90", is_reads_protected=False, **_EVERYTHING),
}
CUT = "profile coding"  # what its wrapper for Claude Code uses
SMALLEST = "profile agent-90, everything"

if __name__ == "__main__":
    warm = [{"role": "user", "content": "list"}, {"role": "assistant", "content": [{"type": "text", "text": "line\n" * 400}]}]
    compress(warm, 0, "list")  # its detector loads when it is first asked
    serve(compress)
