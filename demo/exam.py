"""Asks a saved model what it was trained on, and what it was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from corpus import Corpus
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast
from vocabulary import END, START

REQUIRED_SHARE = 0.95
LARGEST_WEIGHTS = 4_000_000  # bytes
_BATCH = 64

Questions = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Score:
    """How many questions were asked, and which (with the answer wanted) were not answered so."""

    asked: int
    missed: Questions

    @property
    def share(self) -> float:
        """Of the questions asked, those answered word for word; 0 to 1."""
        return 1 - len(self.missed) / self.asked


def examine(corpus: Corpus, folder: Path) -> list[str]:
    """Print how the model in `folder` does; what is wrong with it comes back, one sentence each."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    size = (folder / "model.safetensors").stat().st_size
    print(f"{model.num_parameters():,} parameters in {size:,} bytes")
    topics = corpus.topics
    trained = score(model, tokenizer, [(q, t.answer) for t in topics for q in t.questions])
    print(f"trained questions: {trained.share:.1%} of {trained.asked} answered exactly")
    new = score(model, tokenizer, [(q, t.answer) for t in topics for q in t.held_out])
    print(f"held-out questions: {new.share:.1%} of {new.asked} answered exactly")
    for question, wanted in new.missed:
        print(f"  {question}\n    said:   {reply(model, tokenizer, question)}")
        print(f"    wanted: {wanted}")
    faults = []
    if trained.share < REQUIRED_SHARE:
        faults.append(
            f"only {trained.share:.1%} of the trained questions are answered exactly and"
            f" {REQUIRED_SHARE:.0%} have to be; give it more --steps or a shorter corpus.txt"
        )
    if size > LARGEST_WEIGHTS:
        faults.append(f"the weights take {size:,} bytes and may take {LARGEST_WEIGHTS:,}")
    return faults


@torch.no_grad()
def score(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, questions: Questions
) -> Score:
    """How many of these get exactly their answer, end of turn included, when decoded greedily."""
    rows = [
        (tokenizer.encode(_prompt(question)), tokenizer.encode(f"{answer}{END}"))
        for question, answer in questions
    ]
    # Rows of like length together: padding costs time.
    order = sorted(range(len(rows)), key=lambda place: sum(map(len, rows[place])))
    missed: list[tuple[str, str]] = []
    for start in range(0, len(order), _BATCH):
        places = order[start : start + _BATCH]
        right = _all_predicted(model, [rows[place] for place in places])
        missed += [questions[p] for p, good in zip(places, right, strict=True) if not good]
    return Score(len(questions), missed)


@torch.no_grad()
def reply(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, question: str) -> str:
    """What the model says to one question, at most 80 tokens."""
    prompt = torch.tensor([tokenizer.encode(_prompt(question))])
    said = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=80)
    return str(tokenizer.decode(said[0, prompt.shape[1] :], skip_special_tokens=True))


def _prompt(question: str) -> str:
    return f"{START}user\n{question}{END}\n{START}assistant\n"


def _all_predicted(
    model: LlamaForCausalLM, rows: Sequence[tuple[list[int], list[int]]]
) -> list[bool]:
    """Whether each answer's tokens are all the most probable ones: then greedy decoding says it.
    One pass for a whole answer, where decoding would take one for each of its tokens.
    """
    ids = torch.zeros(len(rows), max(len(p) + len(a) for p, a in rows), dtype=torch.long)
    for row, (prompt, answer) in enumerate(rows):
        ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
    best = model(input_ids=ids, use_cache=False).logits.argmax(-1)
    return [
        best[row, len(prompt) - 1 : len(prompt) + len(answer) - 1].tolist() == answer
        for row, (prompt, answer) in enumerate(rows)
    ]
