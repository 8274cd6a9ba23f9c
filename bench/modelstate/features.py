"""Command: `python -m bench.modelstate.features --model FILE --train DIR --texts DIR`. Can a text be stored as features?

The residual stream behind the embeddings and behind two layers in the middle is written as a few coefficients over a dictionary, and
stored in place of the text. To read it, the model runs over as many blank tokens, and a hook puts the reconstruction in the place of each
of the three layers' outputs; what lies between computes keys and values from it. With the residuals themselves the model goes on
exactly as after the text, which is checked. Dictionaries are learned from the texts of --train, none of which is judged:

- `pca`     the k first principal components, two bytes each;
- `sae`     the k largest of 2,048 learned features (a sparse autoencoder with tied rows, trained on reconstruction), four bytes each;
- `text`    the same bytes as text: all of it, because a token takes about four.

Agreement is that of `bench.modelstate.positions`: the 40 next tokens, and the answer to a question about the context.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.machine import provenance, write_result
from bench.modelstate.torch_model import Case, Loaded, load, make_case, share_same, torch

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "transformers", "gguf")
CONTEXT = 256
PCA_SIZES = (64, 128, 256, 512, 640)
SAE_SIZES = (16, 32, 64, 128)
ATOMS = 2048
SAE_STEPS = 150
Encode = Callable[[Any], Any]


def main() -> int:
    """Train, judge and write the results."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--train", type=Path, required=True)
    arguments.add_argument("--texts", type=Path, required=True)
    arguments.add_argument("--train-seconds", type=float, default=60.0)
    arguments.add_argument("--seconds", type=float, default=90.0)
    asked = arguments.parse_args()
    loaded = load(asked.model)
    count = len(loaded.model.model.layers)
    layers = (-1, count // 3 - 1, 2 * count // 3 - 1)  # -1: behind the embeddings
    samples, files = collect(loaded, asked.train, layers, seconds=asked.train_seconds)
    arms: list[tuple[str, int, int, list[Encode]]] = [("exact", 0, 0, [lambda x: x] * len(layers))]
    components = [find_components(sample) for sample in samples]
    arms += [("pca", size, 2 * size * len(layers), [pca(*each, size) for each in components]) for size in PCA_SIZES]
    learned = [train_sae(sample) for sample in samples]
    arms += [("sae", size, 4 * size * len(layers), [sae(*each, size) for each in learned]) for size in SAE_SIZES]
    rows: list[dict[str, Any]] = []
    ends = time.monotonic() + asked.seconds
    cases = 0
    for number, file in enumerate(sorted(asked.texts.rglob("*.py"), key=lambda path: random.Random(path.name).random())):
        if time.monotonic() > ends:
            break
        case = make_case(loaded, file, CONTEXT, number) if file.stat().st_size > 3_000 else None
        if case is not None:
            cases += 1
            rows += measure(loaded, case, layers, arms)
    told = report(rows)
    head = provenance([sys.executable.rpartition("/")[2], *sys.argv], PACKAGES)
    about = {
        "model": asked.model.name,
        "layers": layers,
        "train_tokens": len(samples[0]),
        "train_files": files,
        "cases": cases,
        "told": told,
    }
    write_result(RESULTS / f"features-{head.name}.json", {**head.as_json(), **about, "rows": rows})
    return 0


def modules(loaded: Loaded, layers: Sequence[int]) -> list[Any]:
    """The modules whose outputs are stored."""
    inner = loaded.model.model
    return [inner.embed_tokens if layer < 0 else inner.layers[layer] for layer in layers]


def with_hooks(
    loaded: Loaded, layers: Sequence[int], seen: list[Any], put: Sequence[Any] | None, tokens: Sequence[int], **more: Any
) -> Any:
    """Run the model; keep what the layers give in `seen`, or put other values in its place."""

    def hook(index: int) -> Callable[..., Any]:
        def replace(_module: Any, _inputs: Any, output: Any) -> Any:
            own = output[0] if isinstance(output, tuple) else output
            if put is None:
                seen.append(own[0].clone())
                return None
            new = put[index][None].to(own.dtype)
            return (new, *output[1:]) if isinstance(output, tuple) else new

        return replace

    handles = [module.register_forward_hook(hook(index)) for index, module in enumerate(modules(loaded, layers))]
    try:
        return loaded.hidden(tokens, **more)
    finally:
        for handle in handles:
            handle.remove()


def collect(loaded: Loaded, folder: Path, layers: Sequence[int], *, seconds: float) -> tuple[list[Any], int]:
    """Residuals of the training texts, layer by layer, until the time is over; and of how many texts."""
    ends, found, files = time.monotonic() + seconds, [list[Any]() for _ in layers], 0
    paths = [path for path in folder.rglob("*") if path.suffix in (".py", ".md", ".jsonl") and path.stat().st_size > 2_000]
    for path in sorted(paths, key=lambda path: random.Random(path.name).random()):
        if time.monotonic() > ends:
            break
        tokens = loaded.tokenizer(path.read_text("utf-8", "replace")[:4_000]).input_ids[: CONTEXT + 64]
        seen: list[Any] = []
        with_hooks(loaded, layers, seen, None, tokens)
        for index, each in enumerate(seen):
            found[index].append(each[1:])  # the first token's residual is far from all others, and the same in every text
        files += 1
    return [torch.cat(each) for each in found], files


def scaled(sample: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of each dimension."""
    return sample.mean(0), sample.std(0) + 1e-6


def find_components(sample: Any) -> tuple[Any, Any, Any]:
    """Mean, deviation and principal components of residuals, the first that explain most."""
    mean, deviation = scaled(sample)
    data = (sample - mean) / deviation
    return mean, deviation, torch.linalg.eigh(data.T @ data).eigenvectors.T.flip(0)


def pca(mean: Any, deviation: Any, components: Any, size: int) -> Encode:
    """Return what the first `size` principal components leave of residuals."""
    kept = components[:size]
    return lambda x: ((x - mean) / deviation @ kept.T).half().float() @ kept * deviation + mean


def train_sae(sample: Any) -> tuple[Any, Any, Any, Any]:
    """Train a dictionary so that the 64 largest features of a residual give it back; return mean, deviation, encoder and dictionary."""
    torch.manual_seed(1)
    mean, deviation = scaled(sample)
    data = (sample - mean) / deviation
    atoms = torch.nn.functional.normalize(data[torch.randint(len(data), (ATOMS,))] + 0.1 * torch.randn(ATOMS, data.shape[1]), dim=1)
    encoder, dictionary = torch.nn.Parameter(atoms.clone()), torch.nn.Parameter(atoms.clone())
    optimizer = torch.optim.Adam([encoder, dictionary], lr=2e-3)
    for _ in range(SAE_STEPS):
        batch = data[torch.randint(len(data), (128,))]
        loss = ((top(batch @ encoder.T, 64) @ dictionary - batch) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return mean, deviation, encoder.detach(), dictionary.detach()


def sae(mean: Any, deviation: Any, encoder: Any, dictionary: Any, size: int) -> Encode:
    """Return what the `size` largest features leave of residuals."""
    return lambda x: top((x - mean) / deviation @ encoder.T, size).half().float() @ dictionary * deviation + mean


def top(values: Any, size: int) -> Any:
    """The values with all but the `size` largest of each row as nothing."""
    found = values.abs().topk(size, dim=-1).indices
    return torch.zeros_like(values).scatter(-1, found, values.gather(-1, found))


def measure(loaded: Loaded, case: Case, layers: Sequence[int], arms: Sequence[tuple[str, int, int, list[Encode]]]) -> list[dict[str, Any]]:
    """Rows of one case: one for each arm."""
    seen: list[Any] = []
    whole = with_hooks(loaded, layers, seen, None, case.context)
    follows = on(loaded, whole.past_key_values, case.follows)
    answer: list[int] = []
    for _ in case.answer:
        answer.append(on(loaded, whole.past_key_values, (*case.asks, *answer))[-1])
    rows: list[dict[str, Any]] = []
    text_bytes = len(loaded.tokenizer.decode(case.context, skip_special_tokens=True).encode()) / len(case.context)
    for name, size, each, encode in arms:
        put = [one(x) for one, x in zip(encode, seen, strict=True)]
        for stored, x in zip(put, seen, strict=True):
            stored[0] = x[0]  # of the first token, which is the same in every text
        cache = with_hooks(loaded, layers, [], put, [0] * len(case.context)).past_key_values
        told = on(loaded, cache, (*case.asks, *answer))[len(case.asks) - 1 : -1]
        error = [float(((a - b) ** 2).sum() / ((b - b.mean(0)) ** 2).sum()) for a, b in zip(put, seen, strict=True)]
        rows.append(
            {
                "source": case.source, "arm": name, "size": size, "bytes_a_token": each, "text_bytes_a_token": round(text_bytes, 2),
                "next": share_same(on(loaded, cache, case.follows), follows), "answer_same": told == answer,
                "unexplained": [round(value, 4) for value in error],
            }
        )  # fmt: skip
    return rows


def on(loaded: Loaded, cache: Any, tokens: Sequence[int]) -> list[int]:
    """Return the next token behind each of `tokens` after a cache, which stays as it was."""
    told = loaded.hidden(tokens, past_key_values=copy.deepcopy(cache))
    return loaded.argmax(told.last_hidden_state)


def report(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Print and return the means by arm, with intervals over the cases by bootstrap."""
    draw, told = random.Random(1), dict[str, Any]()
    for arm, size in dict.fromkeys((row["arm"], row["size"]) for row in rows):
        own = [row for row in rows if (row["arm"], row["size"]) == (arm, size)]
        means = sorted(sum(draw.choice(own)["next"] for _ in own) / len(own) for _ in range(2000))
        next_mean, same = sum(row["next"] for row in own) / len(own), sum(row["answer_same"] for row in own) / len(own)
        told[f"{arm} {size}"] = {
            "n": len(own),
            "next": round(next_mean, 3),
            "next_95": [round(means[50], 3), round(means[1949], 3)],
            "answer_same": round(same, 3),
            "bytes_a_token": own[0]["bytes_a_token"],
            "unexplained": [round(sum(row["unexplained"][at] for row in own) / len(own), 4) for at in range(3)],
        }
        print(f"{arm:<6} {size:>4}", json.dumps(told[f"{arm} {size}"]))
    return told


if __name__ == "__main__":
    sys.exit(main())
