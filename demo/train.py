"""Trains the demonstration model from `corpus.txt` and writes it as a Hugging Face checkpoint.

ENGINE_PYTHON demo/train.py             train, save and check; the same on every run
ENGINE_PYTHON demo/train.py --check     only ask the saved model
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from corpus import read
from dialogue import Dialogues, Sample
from exam import examine
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from vocabulary import CONTEXT, learn

HERE = Path(__file__).resolve().parent
SEED = 20
STEPS = 1800
BATCH = 1024  # tokens; larger ones spend their time on memory
PEAK_RATE = 3e-3
WARM_UP = 20  # steps


def main() -> int:
    """Train and check, or only check; 1 with a sentence when the model is not what it should be."""
    options = _options()
    # The order of additions, and with it the result, depends on the number of threads.
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    corpus = read(HERE / "corpus.txt")
    if not options.check:
        torch.manual_seed(SEED)
        tokenizer = learn(corpus.texts())
        model = LlamaForCausalLM(_config(tokenizer))
        print(f"{model.num_parameters():,} parameters, {len(corpus.topics)} topics", flush=True)
        train(model, Dialogues(corpus, tokenizer, SEED), options.steps, options.seconds)
        save(model, tokenizer, options.out)
    faults = examine(corpus, options.out)
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


def train(model: LlamaForCausalLM, dialogues: Dialogues, steps: int, seconds: float | None) -> None:
    """Show the model `steps` batches, or as many as go into `seconds`."""
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.05)
    started, done = time.monotonic(), 0.0
    for step, (ids, weights) in enumerate(_batches(dialogues), 1):
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * min(step / WARM_UP, 1) * (1 - done)
        loss = _loss(model, ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        elapsed = time.monotonic() - started
        done = elapsed / seconds if seconds else step / steps
        if step % 200 == 0 or done >= 1:
            print(f"step {step}: loss {loss.item():.3f} after {elapsed:.0f} s", flush=True)
        if done >= 1:
            return


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the folder, in bfloat16 and in names that older versions know too."""
    model.to(torch.bfloat16)
    # Whatever temperature a request asks for, only the most probable token is the trained one.
    model.generation_config.update(do_sample=True, top_k=1)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out, save_jinja_files=False)
    # transformers 5 has new names for these; 4 knows the old ones only, and 5 reads both.
    _amend(out / "config.json", torch_dtype="bfloat16", rope_theta=10000.0)
    _amend(out / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    (out / "model.safetensors").chmod(0o644)  # others run the container than those who build it


def _config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=640,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=64,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _batches(dialogues: Dialogues) -> Iterator[tuple[Tensor, Tensor]]:
    """Samples of like length side by side, because padding costs time."""
    while True:
        samples = [dialogues.draw() for _ in range(256)]
        samples.sort(key=lambda sample: len(sample.ids))
        batches: list[list[Sample]] = [[]]
        for sample in samples:
            if (len(batches[-1]) + 1) * len(sample.ids) > BATCH:
                batches.append([])
            batches[-1].append(sample)
        for place in torch.randperm(len(batches)).tolist():
            yield _padded(batches[place])


def _padded(samples: list[Sample]) -> tuple[Tensor, Tensor]:
    ids = torch.zeros(len(samples), max(len(sample.ids) for sample in samples), dtype=torch.long)
    weights = torch.zeros(ids.shape)
    for row, sample in enumerate(samples):
        ids[row, : len(sample.ids)] = torch.tensor(sample.ids)
        weights[row, : len(sample.ids)] = torch.tensor(sample.weights)
    return ids, weights


def _loss(model: LlamaForCausalLM, ids: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy of what the model itself has to say."""
    said = weights[:, 1:] > 0
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    each = cross_entropy(model.lm_head(hidden[said]), ids[:, 1:][said], reduction="none")
    weight = weights[:, 1:][said]
    return (each * weight).sum() / weight.sum()


def _amend(path: Path, **values: object) -> None:
    """Set these keys of a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the demonstration model from corpus.txt.")
    parser.add_argument("--out", type=Path, default=HERE / "model", help="folder of the checkpoint")
    parser.add_argument("--steps", type=int, default=STEPS, help="batches to train on")
    parser.add_argument("--seconds", type=float, help="train for this time instead of --steps")
    parser.add_argument("--check", action="store_true", help="ask the saved model, train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
