"""LLaMA-Factory's own commands over our data set, with a tiny random Qwen2 on a CPU: it reads the rows, fits an adapter and merges it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluation.conftest import work
from train.distil.__main__ import main

CLONE = Path(__file__).parents[2]
YAML = CLONE / "train" / "distil" / "llamafactory"
CLI = Path(sys.executable).with_name("llamafactory-cli")

pytestmark = pytest.mark.real_tuning


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLEW_HOME", str(tmp_path / "home"))
    work(with_summary=True).save(tmp_path / "sessions" / "ledger")
    held = work(with_summary=True).save(tmp_path / "sessions" / "other")
    held.rename(held.with_name(f"{held.stem[:-1]}7.jsonl"))
    assert main(["data", "--sessions", str(tmp_path / "sessions"), "--out", str(tmp_path / "set"), "--hold", "other"]) == 0
    return tmp_path / "set"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    run([sys.executable, "-m", "train.distil.tiny", str(tmp_path / "tiny")])
    return tmp_path / "tiny"


def test_llama_factory_fits_an_adapter_to_the_data_set_and_merges_it(data: Path, tiny: Path, tmp_path: Path) -> None:
    adapter, merged = tmp_path / "adapter", tmp_path / "merged"
    run([str(CLI), "train", str(YAML / "tiny.yaml"), f"model_name_or_path={tiny}", f"dataset_dir={data}", f"output_dir={adapter}"])
    told = json.loads((adapter / "all_results.json").read_text("utf-8"))
    assert told["train_loss"] > 0
    assert told["eval_loss"] > 0

    run(
        [
            str(CLI),
            "export",
            str(YAML / "merge.yaml"),
            f"model_name_or_path={tiny}",
            f"adapter_name_or_path={adapter}",
            f"export_dir={merged}",
        ]
    )
    assert list(merged.glob("*.safetensors"))


def test_our_own_fit_goes_on_where_it_was_stopped_and_merges_too(data: Path, tiny: Path, tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "train.distil",
        "fit",
        "--base",
        str(tiny),
        "--data",
        str(data),
        "--out",
        str(tmp_path / "out"),
        "--tokens",
        "4000",
    ]
    run([*words, "--steps", "2"])
    run([*words, "--steps", "3", "--layers", "1"])

    steps = [json.loads(line)["step"] for line in (tmp_path / "out" / "log.jsonl").read_text("utf-8").splitlines()]
    assert steps == [1, 2, 3]
    assert list((tmp_path / "out" / "merged").glob("*.safetensors"))


def run(words: list[str]) -> None:
    done = subprocess.run(words, cwd=CLONE, env={**os.environ, "PYTHONPATH": f"src:{CLONE}"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
