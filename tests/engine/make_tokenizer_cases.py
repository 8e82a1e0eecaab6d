#!/usr/bin/env python3
"""Writes tests/data/tokenizer.json: texts with the pieces and offsets of `tokenizers`, which the C tokenizer must equal.

    python3 tests/engine/make_tokenizer_cases.py > tests/data/tokenizer.json       (needs: pip install tokenizers)

The texts mix scripts, marks, controls and lengths at their limits; the draw is fixed.
"""
import json
import pathlib
import random

from tokenizers import BertWordPieceTokenizer

VOCABULARY = pathlib.Path(__file__).resolve().parents[2] / "models" / "refractr-mini" / "vocab.txt"
PARTS = ["Invoice", " #2847", "é", "e\u0301", "한국어", " ", "\t", "\n", "\x00", "\x0b", "\u200b", "\u00a0", "\u3000", "中文", "!", "ß", "ẞ",
         "İ", "Σς", "[SEP]", "[CLS]", "[sep]", "[MASK", "ﬁ", "😀", "👩‍👩‍👧", "\u202e", "אב", "عربي", "x" * 99, "y" * 101, "\ufffd", "ǆ", "Ωμέγα",
         "Привет", "naïve", "—", "€1,249.00", "don't", "a\u0300\u0323b", "\u1e9b\u0323", "ヴァ", "ｶﾞ", "１２", "\u0bca", "ཀྵ"]


def main():
    tokenizer = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
    draw = random.Random(11)
    texts = ["", " ", "x" * 100, "x" * 101, "\u0301" * 5, "a" + "\u0301" * 120] + PARTS
    texts += ["".join(draw.choice(PARTS) for _ in range(draw.randint(1, 12))) for _ in range(150)]
    codes = [c for c in range(1, 0x30000) if not 0xD800 <= c < 0xE000]
    texts += ["".join(chr(draw.choice(codes[:0x3200])) for _ in range(24)) for _ in range(60)]
    print("[")
    for i, text in enumerate(texts):
        e = tokenizer.encode(text, add_special_tokens=False)
        case = {"text": text, "pieces": [[i, a, b] for i, (a, b) in zip(e.ids, e.offsets)]}
        print(json.dumps(case) + ("," if i + 1 < len(texts) else ""))
    print("]")


if __name__ == "__main__":
    main()
