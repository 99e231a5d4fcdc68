#!/usr/bin/env python3
"""Prints the tables of src/evoke/model/tokenizer/unicode_differences.cpp.

    tools/unicode_differences.py

Compares what the wheel `tokenizers` takes for letters, numbers, white space,
parts of words and combining characters with the oldest Unicode that PCRE2 and
utf8proc may have (Python 3.11's own tables, 14.0) and with the newest (the
wheel `unicodedata2`). A character that is not the same in all three gets into
a table; so the tables hold for every version of the libraries in between.
"""

import unicodedata

import unicodedata2
from tokenizers import (AddedToken, Regex, Tokenizer, models, normalizers,
                        pre_tokenizers)

PLANES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
# PCRE2's \s takes U+180E, which Unicode has not called a space since 6.3.
ALWAYS = {0x180E}


def matched(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    found = set(PLANES)
    for begin in range(0, len(PLANES), 4096):
        text = "".join(map(chr, PLANES[begin:begin + 4096]))
        for piece, _ in split.pre_tokenize_str(text):
            found.difference_update(map(ord, piece))
    return found


def kind(category):
    return {"L": "L", "N": "N", "Z": "Z"}.get(category[0], "-")


def ranges(items):
    """[(c, value)] -> [(first, last, value)]"""
    found = []
    for c, value in sorted(items):
        if found and found[-1][1] == c - 1 and found[-1][2] == value:
            found[-1][1] = c
        else:
            found.append([c, c, value])
    return found


def print_classes():
    letters, numbers = matched(r"\p{L}"), matched(r"\p{N}")
    spaces = matched(r"\s")
    controls = {*range(0x09, 0x0E), 0x85}
    items = []
    for c in PLANES:
        here = ("L" if c in letters else "N" if c in numbers
                else "Z" if c in spaces else "-")
        old = "Z" if c in controls else kind(unicodedata.category(chr(c)))
        new = "Z" if c in controls else kind(unicodedata2.category(chr(c)))
        if not here == old == new or c in ALWAYS:
            items.append((c, here))
    print("// split: L letter, N number, Z space, - none of them")
    for first, last, value in ranges(items):
        print(f"    {{{first:#x}, {last:#x}, '{value}'}},")


# Symbols that count as letters, and the joiners: see is_word_character().
WORD_SYMBOLS = {0x200C, 0x200D, *range(0x24B6, 0x24EA),
                *range(0x1F130, 0x1F14A), *range(0x1F150, 0x1F16A),
                *range(0x1F170, 0x1F18A)}
WORD_CATEGORIES = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl",
                   "Pc"}


def print_words():
    """What Rust's \\w takes, found through an added token: it is not one
    where a word goes on."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.add_tokens([AddedToken("=", single_word=True, normalized=False)])
    items = []
    for c in PLANES:
        here = not tokenizer.encode("=" + chr(c)).ids
        known = {tables.category(chr(c)) in WORD_CATEGORIES
                 for tables in (unicodedata, unicodedata2)}
        if c not in WORD_SYMBOLS and known != {here}:
            items.append((c, "w" if here else "-"))
    print("// words: w a part of them, - not")
    for first, last, value in ranges(items):
        print(f"    {{{first:#x}, {last:#x}, '{value}'}},")


def is_special(c):
    return (unicodedata2.combining(c) != 0 or
            unicodedata2.decomposition(c)[:1] not in ("", "<"))


def canonical_parts(c):
    text = unicodedata2.decomposition(c)
    return [] if text[:1] in ("", "<") else [int(p, 16) for p in text.split()]


def print_unknown():
    normalize = normalizers.NFC().normalize_str
    unknown = set()
    for c in map(chr, PLANES):
        parts = "".join(map(chr, canonical_parts(c)))
        if not is_special(c) and not parts:
            continue
        for text in (c, f"b\u0315{c}", f"b{c}\u0334", f"b\u0301{c}", parts):
            if normalize(text) != unicodedata2.normalize("NFC", text):
                unknown.update(
                    x for x in {c, *parts}
                    if unicodedata2.category(x) != "Cn")
                break
    # Parts that every version knows do no harm by themselves.
    unknown = {x for x in unknown if unicodedata.category(x) == "Cn" or
               is_special(x) and normalize(f"b\u0315{x}") ==
               f"b\u0315{x}" != unicodedata2.normalize("NFC", f"b\u0315{x}") or
               is_special(x) and normalize(f"b{x}\u0334") ==
               f"b{x}\u0334" != unicodedata2.normalize("NFC", f"b{x}\u0334") or
               unicodedata2.normalize("NFC", x) != normalize(x)}
    print("// nfc")
    for first, last, _ in ranges((ord(x), 0) for x in unknown):
        print(f"    {{{first:#x}, {last:#x}}},")


if __name__ == "__main__":
    print(f"// Unicode {unicodedata.unidata_version} to "
          f"{unicodedata2.unidata_version}")
    print_classes()
    print_words()
    print_unknown()
