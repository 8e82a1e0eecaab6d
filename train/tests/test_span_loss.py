"""span_loss of train.py against what the reference reads: the same spans, the same scores."""
import math
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed here: make train-test runs these")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reference import DEFAULTS, log_sigmoid          # noqa: E402
from train import span_loss                          # noqa: E402


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
