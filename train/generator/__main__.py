"""Preview, check and time the generator. `python -m generator --help`"""
import argparse
import collections
import json
import random
import sys
import time
import unicodedata
from pathlib import Path

from .render import render
from .sheets import Sheet, SheetError
from .source import DOCUMENTS, Generator
from .values import Values


def main():
    parser = argparse.ArgumentParser(prog="python -m generator", description="Training documents with exact answers, from document sheets.")
    parser.add_argument("--count", type=int, default=5, help="examples to print (default 5)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws (default 0)")
    parser.add_argument("--documents", type=Path, default=DOCUMENTS, help="folder of *.doc sheets (default: train/documents)")
    parser.add_argument("--pretty", action="store_true", help="print text and answers for reading, not JSON lines")
    parser.add_argument("--check", action="store_true", help="parse every sheet, render each text 50 times, list the faults")
    parser.add_argument("--speed", action="store_true", help="examples per second of one core, over --count examples (at least 2000)")
    args = parser.parse_args()
    if args.check:
        return check(args.documents, args.seed)
    try:
        generator = Generator(args.seed, args.documents)
    except (SheetError, ValueError) as error:
        print(f"{error}\nRun with --check to list every fault.", file=sys.stderr)
        return 2
    if args.speed:
        return speed(generator, max(args.count, 2000))
    for number in range(args.count):
        show(generator.example(), number, args.pretty)
    return 0


def show(example, number, pretty):
    if not pretty:
        print(json.dumps(example, ensure_ascii=False))
        return
    text = example["text"]
    print(f"==== {number}: {example['kind']} ({example['lang']}) " + "=" * 40)
    print(text)
    print("-" * 60)
    for field in example["fields"]:
        line = f"{'.'.join(field['path'])}  <{field['kind']}{':' + field['type'] if field.get('type') else ''}>"
        if field["kind"] in ("scalar", "list"):
            line += f"  {[text[a:b] for a, b in field['spans']]}"
        elif field["kind"] == "enum":
            line += f" {field['options']} -> {None if field['answer'] is None else field['options'][field['answer']]}"
        elif field["kind"] == "boolean":
            line += f" -> {field['answer']}"
        else:
            line += f" {[part['key'] for part in field['fields']]}"
            for record in field["records"]:
                line += "\n      " + str({key: text[a:b] for key, (a, b) in record.items()})
        print(line + (f"   # {field['description']}" if field["description"] else ""))
    print()


def check(directory, seed):
    """Faults of all sheets on stdout as "file:line: message"; exit status 1 if there are any."""
    faults, sheets, texts = 0, 0, 0
    values, rng = Values(seed), random.Random(seed)
    for path in sorted(directory.rglob("*.doc")):
        try:
            sheet = Sheet.load(path)
        except SheetError as error:
            print(error)
            faults += 1
            continue
        sheets += 1
        for text in sheet.texts:
            texts += 1
            found = collections.Counter(fault for _ in range(50) for fault in faults_of(sheet, text, values, rng))
            for fault, times in found.items():
                print(f"{path}:{text.line}: {fault} ({times} of 50 times)")
                faults += 1
    print(f"{sheets} sheets, {texts} texts, {faults} faults")
    return 1 if faults else 0


def faults_of(sheet, text, values, rng):
    """What is wrong with one rendering of one text: a set of messages."""
    try:
        document = render(sheet, text, values.voice(rng, sheet.lang), rng)
    except Exception as error:      # any failure of a sheet is this report's business
        return {f"cannot render: {type(error).__name__}: {error}"}
    found = set()
    body = document.text
    for name, answer in document.answers.items():
        for start, end in answer.spans:
            value = body[start:end]
            if not 0 <= start < end <= len(body) or value != value.strip():
                found.add(f"span of '{name}' is empty or has blanks at its ends: {value!r}")
            elif not answer.slot.many and name in document.values and value != document.values[name]:
                found.add(f"span of '{name}' is {value!r}, not the value drawn")
    if any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in body):
        found.add("control character in the text")
    for mark in ("[[", "]]", "{!"):
        if mark in body:
            found.add(f"'{mark}' left in the text")
    if not any(answer.present for answer in document.answers.values()) and not any(document.values):
        found.add("writes no field at all")
    return found


def speed(generator, count):
    for _ in range(500):
        generator.example()
    start = time.process_time()
    size = sum(len(generator.example()["text"]) for _ in range(count))
    seconds = time.process_time() - start
    print(f"{count / seconds:.0f} examples per core second, {size / count:.0f} characters each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
