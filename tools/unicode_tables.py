#!/usr/bin/env python3
"""Writes src/engine/unicode_tables.h: what BERT's normaliser does to every code point.

    python3 tools/unicode_tables.py > src/engine/unicode_tables.h          (needs: pip install tokenizers)

The model was trained behind the `tokenizers` library's BertNormalizer and BertPreTokenizer, so the table is read off that
library one code point at a time instead of being worked out from a Unicode version it may not share. Every code point is
one of: kept as it is, dropped (control characters, non-spacing marks), white space, punctuation (a word of its own),
ideograph (a word of its own, may be mapped too), or mapped to one or more others (decomposed, stripped of accents, lower-cased).
"""
import sys

import tokenizers
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

KEEP, DROP, SPACE, ALONE = range(4)


def classify(normalizer, splitter, code):
    """(class, mapped text or None) of one code point."""
    char = chr(code)
    seen = normalizer.normalize_str(char)
    if seen == "":
        return DROP, None
    if seen.isspace() and len(seen) == 1:
        return SPACE, None
    spaced = len(seen) > 2 and seen[0] == seen[-1] == " "
    mapped = seen[1:-1] if spaced else seen
    alone = spaced or len(splitter.pre_tokenize_str("a" + mapped + "a")) == len(mapped) + 2
    if not alone and len(splitter.pre_tokenize_str("a" + mapped + "a")) != 1:
        raise SystemExit(f"U+{code:04X} is neither whole nor alone: {mapped!r}")
    return ALONE if alone else KEEP, None if mapped == char else mapped


def rows(items, per_line):
    for at in range(0, len(items), per_line):
        print("    " + " ".join(items[at:at + per_line]))


def main():
    normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    splitter = BertPreTokenizer()
    ranges, maps, sequence = [], [], []
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        kind, mapped = classify(normalizer, splitter, code)
        if kind != KEEP:
            if ranges and ranges[-1][1] == code - 1 and ranges[-1][2] == kind:
                ranges[-1][1] = code
            else:
                ranges.append([code, code, kind])
        if mapped is not None and not 0xAC00 <= code <= 0xD7A3:
            codes = [ord(c) for c in mapped]
            maps.append((code, len(sequence), len(codes)))
            sequence += codes
    print("/* unicode_tables.h - what BERT's normaliser does to every code point (see tokenizer.c). Generated, do not edit:")
    print(f" *     python3 tools/unicode_tables.py > src/engine/unicode_tables.h     (tokenizers {tokenizers.__version__})")
    print(" * Included by tokenizer.c only. Code points in no range are kept; Hangul syllables are decomposed by rule. */")
    print("enum code_class { CODE_KEEP, CODE_DROP, CODE_SPACE, CODE_ALONE };\n")
    print("/* {first, last, class}, sorted */")
    print("static const struct code_range { uint32_t first, last, kind; } code_ranges[] = {")
    rows([f"{{0x{a:X},0x{b:X},{k}}}," for a, b, k in ranges], 6)
    print("};\n\n/* {code point, first of code_sequence, how many}, sorted */")
    print("static const struct code_map { uint32_t code; uint16_t first, count; } code_maps[] = {")
    rows([f"{{0x{c:X},{a},{n}}}," for c, a, n in maps], 8)
    print("};\n\nstatic const uint32_t code_sequence[] = {")
    rows([f"0x{c:X}," for c in sequence], 14)
    print("};")
    print(f"{len(ranges)} ranges, {len(maps)} maps, {len(sequence)} codes", file=sys.stderr)


if __name__ == "__main__":
    main()
