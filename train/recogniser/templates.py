"""Fill the frames of `data/templates.toml`: sentences of every label about the same things, in fourteen languages."""

from __future__ import annotations

import random
import tomllib

from train.recogniser.examples import DATA, Example

SLOTS = ("bad", "good", "do", "thing")
PER_FRAME = 8  # guess


def fill_templates(*, seed: int = 0, per_frame: int = PER_FRAME, weight: float = 1.0) -> list[Example]:
    """Return `per_frame` sentences of each frame, the half of them with a capital and a full stop; none twice."""
    chosen = random.Random(seed)
    found: dict[str, Example] = {}
    for language, data in tomllib.loads((DATA / "templates.toml").read_text("utf-8")).items():
        for label, frames in data.items():
            for frame in () if label in SLOTS else frames:
                for _ in range(per_frame if "{" in frame else 1):
                    text = frame
                    for slot in SLOTS:
                        if f"{{{slot}}}" in frame:
                            text = text.replace(f"{{{slot}}}", chosen.choice(data[slot]))
                    if chosen.random() < 0.5:
                        text = text[0].upper() + text[1:]
                    if text[-1].isalnum() and chosen.random() < 0.4:
                        text += "。" if language in ("zh", "ja") else "."
                    found.setdefault(text, Example(text, label, f"template.{language}", weight=weight))
    return list(found.values())
