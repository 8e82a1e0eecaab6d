"""span_loss and list_loss of train.py against what the reference reads: the same spans, the same scores."""
import math
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed here: make train-test runs these")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reference import DEFAULTS, log_sigmoid, sigmoid  # noqa: E402
from train import LEAST_READ, list_loss, span_loss    # noqa: E402


def read(start, end, inside, null, first, last):
    """The score of one span, as reference.scalar_spans adds it up, over null's."""
    return (start[first] + end[last] + DEFAULTS["inside_weight"] * log_sigmoid(inside[first:last + 1]).sum() - null.sum())


def test_it_is_the_share_of_the_right_spans_among_all_that_can_be_read():
    rng = np.random.default_rng(5)
    length, longest = 90, DEFAULTS["max_span"]
    start, end, inside = rng.normal(size=(3, 4, length)) * 3
    null = rng.normal(size=(4, 2))
    spans = [(0, 7, 9), (0, 30, 30), (1, 2, 89), (3, 0, longest - 1)]  # field 1's is too long to be read, field 2 has none
    want = []
    for field in (0, 2, 3):
        every = {(a, b): math.exp(read(start[field], end[field], inside[field], null[field], a, b))
                 for a in range(length) for b in range(a, min(length, a + longest))}
        right = sum(every[s[1:]] for s in spans if s[0] == field) or 1.0
        want.append(-math.log(right / (1 + sum(every.values()))))
    loss = span_loss(*(torch.tensor(x, dtype=torch.float32) for x in (start, end, inside, null)), torch.tensor(spans))
    assert loss.item() == pytest.approx(sum(want) / 4, rel=1e-3)


def test_the_wrong_bound_costs_more_than_the_right_one():
    start, end, inside = torch.full((3, 1, 20), -6.0)
    inside[0, 4:9] = start[0, 4] = end[0, 8] = 6.0
    null = torch.full((1, 2), -6.0)
    right, short, none = (span_loss(start, end, inside, null, torch.tensor(spans, dtype=torch.long).view(-1, 3)).item()
                          for spans in ([(0, 4, 8)], [(0, 4, 6)], []))
    assert right < 0.1 < short and right < 0.1 < none


def list_score(start, end, inside, first, last):
    """The score of one span, as reference.list_spans takes it."""
    return (sigmoid(start[first]) * sigmoid(end[last]) * sigmoid(inside[first:last + 1]).min()) ** (1 / 3)


def test_a_list_is_taught_its_spans_and_the_wrong_ones_that_would_be_read():
    rng = np.random.default_rng(6)
    length, longest = 90, DEFAULTS["max_span"] + 1
    start, end, inside = rng.normal(size=(3, 3, length)) * 3
    spans = [(0, 7, 9), (0, 30, 30), (0, 31, 40), (1, 2, 89), (1, 5, 5 + longest - 1)]  # (1, 2, 89) is too long to be read
    want = penalised = spared = 0
    for field in range(3):
        score = {(a, b): list_score(start[field], end[field], inside[field], a, b)
                 for a in range(length) for b in range(a, min(length, a + longest))}
        right = [s[1:] for s in spans if s[0] == field and s[2] - s[1] < longest]
        want -= sum(math.log(score[s]) for s in right)
        for a in range(length):
            best = max((s for s in score if s[0] == a), key=score.get)
            if score[best] > LEAST_READ and best not in right:
                hidden = any(best[0] <= d and best[1] >= c and score[c, d] > score[best] for c, d in right)
                spared += hidden
                penalised += not hidden
                want -= 0 if hidden else math.log(1 - score[best])
    assert penalised and spared
    loss = list_loss(*(torch.tensor(x, dtype=torch.float32) for x in (start, end, inside)), torch.tensor(spans))
    assert loss.item() == pytest.approx(want / 3, rel=1e-3)


def test_a_list_without_values_costs_nothing_where_none_is_read():
    empty = torch.zeros(0, 3, dtype=torch.long)
    low, high = torch.full((1, 20), -8.0), torch.full((1, 20), 4.0)
    assert list_loss(low, low, low, empty).item() == 0
    assert list_loss(high, high, high, empty).item() > 1
