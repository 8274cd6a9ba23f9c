"""Fit: LoRA on a small model with transformers and peft, on a CPU. The proof of the recipe; a GPU runs the YAML beside this file.

Loss is over the answer alone, and the vocabulary's logits are computed at the answer's places only: with 262,144 tokens they would cost
more than the model. The adapter is saved every SAVE_STEPS steps, and a run that was stopped goes on from there.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.distil.dataset import read_rows

SAVE_STEPS, STEP_NAME = 10, "clew_step"
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
# For a base model without a template of its own whose vocabulary has Gemma's turns.
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% set ns = namespace(system='') %}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{% set ns.system = message['content'] + '\n\n' %}{% else %}{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else "
    "message['role']) + '\n' + (ns.system if message['role'] == 'user' else '') + message['content'] + '<end_of_turn>\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


@dataclass(frozen=True, slots=True)
class FitOptions:
    """Options of a fit: optimiser steps, rows in each, learning rate at its peak, the adapter's rank, tokens of a row at most.

    layers  only so many of the upper layers are fitted, 0 for all: the gradient goes no deeper, which halves a step.
    """

    steps: int = 300
    rows: int = 1
    rate: float = 3e-4
    rank: int = 8
    tokens_max: int = 768
    layers: int = 0
    threads: int = 1
    seed: int = 20_261_130


def load_base(path: Path) -> tuple[Any, Any]:
    """Return (tokenizer, model) of a GGUF file or of a folder as transformers saves it, in float32."""
    import torch  # lazy: only a fit needs it, and it is no dependency of clew
    from transformers import AutoModelForCausalLM, AutoTokenizer  # lazy: likewise

    folder, options = (str(path), {}) if path.is_dir() else (str(path.parent), {"gguf_file": path.name})
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, **options)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options)
    if not tokenizer.chat_template:
        if tokenizer.convert_tokens_to_ids("<start_of_turn>") in (None, tokenizer.unk_token_id):
            raise SystemExit(f"error: {path}: has no chat template, and its vocabulary has no turns\nhint: take an instruct model")
        tokenizer.chat_template = GEMMA_TEMPLATE
    return tokenizer, model


def encode(tokenizer: Any, system: str, request: str, answer: str) -> tuple[list[int], int]:
    """Return the tokens of a row, and at which its answer begins."""
    asked = [{"role": "system", "content": system}, {"role": "user", "content": request}]
    before = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*asked, {"role": "assistant", "content": answer}], tokenize=False)
    head: list[int] = tokenizer(before, add_special_tokens=False)["input_ids"]
    tail: list[int] = tokenizer(whole.removeprefix(before).rstrip("\n"), add_special_tokens=False)["input_ids"]
    return head + tail, len(head)


def fit(base: Path, data: Path, out: Path, options: FitOptions) -> None:
    """Fit an adapter to the rows of `data`, and save it, merged into its base, in `out`."""
    import torch  # lazy: only a fit needs it
    from peft import LoraConfig, PeftModel, get_peft_model  # lazy: likewise

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    tokenizer, model = load_base(base)
    rows = [encode(tokenizer, *row) for row in read_rows(data)]
    rows = [(tokens, begin) for tokens, begin in rows if len(tokens) <= options.tokens_max]
    print(f"{len(rows):,} rows of at most {options.tokens_max} tokens, for {options.steps * options.rows:,} to be drawn", flush=True)
    random.Random(options.seed).shuffle(rows)
    model.config.use_cache = False
    saved, begun = out / "adapter", 0
    if (saved / STEP_NAME).is_file():
        begun = int((saved / STEP_NAME).read_text("utf-8"))
        tuned: Any = PeftModel.from_pretrained(model, str(saved), is_trainable=True)
    else:
        config = LoraConfig(r=options.rank, lora_alpha=2 * options.rank, target_modules=list(TARGETS), task_type="CAUSAL_LM")
        tuned = get_peft_model(model, config)
    inner = tuned.base_model.model
    for layer in inner.model.layers[: -options.layers] if options.layers else ():
        layer.requires_grad_(requires_grad=False)
    weights = [weight for weight in tuned.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=options.rate, weight_decay=0.0)
    out.mkdir(parents=True, exist_ok=True)
    log = (out / "log.jsonl").open("a", encoding="utf-8")
    started, drawn = time.time(), begun * options.rows
    for step in range(begun, options.steps):
        warm = min(1.0, (step + 1) / 20) * max(0.05, 1 - step / options.steps)
        for group in optimiser.param_groups:
            group["lr"] = options.rate * warm
        total = 0.0
        for _ in range(options.rows):
            tokens, begin = rows[drawn % len(rows)]
            drawn += 1
            loss = answer_loss(inner, tokens, begin) / options.rows
            loss.backward()
            total += float(loss)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        print(json.dumps({"step": step + 1, "loss": round(total, 4), "s": round(time.time() - started, 1)}), file=log, flush=True)
        if (step + 1) % SAVE_STEPS == 0 or step + 1 == options.steps:
            tuned.save_pretrained(saved)
            (saved / STEP_NAME).write_text(f"{step + 1}\n", "utf-8")
    log.close()
    save_merged(tokenizer, tuned, out)


def answer_loss(inner: Any, tokens: list[int], begin: int) -> Any:
    """Return the mean cross entropy of a row's answer, in nats a token."""
    import torch  # lazy: only a fit needs it

    ids = torch.tensor([tokens])
    hidden = inner.model(input_ids=ids).last_hidden_state[0, begin - 1 : -1]
    return torch.nn.functional.cross_entropy(inner.lm_head(hidden).float(), ids[0, begin:])


def merge(base: Path, out: Path) -> None:
    """Merge the adapter in `out` into its base, and save the whole model with its tokenizer in `out/merged`."""
    from peft import PeftModel  # lazy: only a fit needs it

    tokenizer, model = load_base(base)
    save_merged(tokenizer, PeftModel.from_pretrained(model, str(out / "adapter")), out)


def save_merged(tokenizer: Any, tuned: Any, out: Path) -> None:
    """Save a fitted model with its adapter merged, and the tokenizer, in `out/merged`."""
    whole = tuned.merge_and_unload()
    if getattr(whole.config, "quantization_config", None) is not None:  # of the GGUF file that it came from: what is saved is whole
        del whole.config.quantization_config
        whole.hf_quantizer = None
    whole.save_pretrained(out / "merged")
    tokenizer.save_pretrained(out / "merged")
