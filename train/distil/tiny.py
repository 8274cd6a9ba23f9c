"""Command: `python -m train.distil.tiny FOLDER`. Makes a tiny Qwen2 of random weights with a tokenizer of bytes, from its config.

For checks of LLaMA-Factory's commands on any machine: it learns nothing that is of use. Needs transformers and tokenizers.
"""

from __future__ import annotations

import sys
from pathlib import Path

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def main(folder: Path) -> None:
    """Write the model and its tokenizer to `folder`."""
    import torch  # lazy: no dependency of clew
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # lazy: likewise
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM  # lazy: likewise

    torch.manual_seed(0)
    words = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *SPECIAL]
    made = Tokenizer(models.BPE(vocab={word: at for at, word in enumerate(words)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=SPECIAL[1:]
    )
    tokenizer.chat_template = TEMPLATE
    config = Qwen2Config(
        vocab_size=len(words), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=4096, tie_word_embeddings=True, eos_token_id=words.index("<|im_end|>"), bos_token_id=None,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
