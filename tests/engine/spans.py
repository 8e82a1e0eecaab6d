"""What the reference finds, as an answer shows it. For the tests of agreement."""


def listed_once(spans, text):
    """The reference's spans as an answer lists them: names said again are not repeated, amounts are."""
    kept, said = [], set()
    for start, end, *_ in spans:
        value = text[start:end]
        if any(c in "0123456789" for c in value) or value not in said:
            kept.append([start, end])
        said.add(value)
    return kept
