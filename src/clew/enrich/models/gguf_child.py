"""Run a GGUF file with xllamacpp behind a private socket, until standard input ends. A script of its own: it imports nothing of clew.

usage: gguf_child.py FILE SOCKET CONTEXT THREADS [STATES BATCH]
Prints "ready" when it answers; the reason of a failure stands on standard error. With STATES it writes the states of its slot to that
folder, and evaluates BATCH tokens at once.
"""

import importlib
import os
import sys
from typing import Any


def main() -> None:
    """Load the model, say so, and wait for whoever started this to end or to close the pipe."""
    path, socket, context, threads, *states = sys.argv[1:]
    os.nice(10)  # whatever else runs on this machine goes first
    llama: Any = importlib.import_module("xllamacpp")  # an extra, which has no types
    params = llama.CommonParams()
    params.model.path = path
    params.hostnames = [socket]
    params.n_ctx = int(context)
    params.n_parallel = 1
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(threads)
    params.warmup = False
    params.verbosity = 0
    params.cache_ram_mib = 0
    if states:
        params.slot_save_path = f"{states[0]}/"
        params.n_ubatch = int(states[1])
        params.swa_full = True  # a state with a sliding window cannot be gone on from
        params.n_ctx_checkpoints = 0  # they would end in the middle of a batch
    server = llama.Server(params)
    try:
        print("ready", flush=True)  # noqa: T201  what the parent waits for; it may be gone by now
        sys.stdin.buffer.read()
        del server
    finally:
        os._exit(0)  # nothing is left to be saved, and its threads need not be waited for


if __name__ == "__main__":
    main()
