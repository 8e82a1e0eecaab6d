#!/usr/bin/python3
"""Writes the 3,000 most common passwords that are long enough to be chosen, sorted, as the C macro COMMON_PASSWORDS.

The list is that of the Debian package python3-zxcvbn. Run by mk/security.mk; src/account/account.c includes the result.

usage: tools/common_passwords.py OUTPUT.h
"""

import pathlib
import sys

from zxcvbn.frequency_lists import FREQUENCY_LISTS

COUNT, MIN_BYTES = 3000, 8  # MIN_BYTES: PASSWORD_MIN of src/account/account.h


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    long_enough = [p for p in FREQUENCY_LISTS["passwords"] if len(p.encode()) >= MIN_BYTES]
    common = sorted(long_enough[:COUNT], key=str.encode)
    if len(common) < COUNT:
        sys.exit(f"common_passwords.py: the list holds {len(common)} passwords of {MIN_BYTES} bytes, {COUNT} are needed")
    quoted = ['    "' + p.replace("\\", "\\\\").replace('"', '\\"') + '", \\' for p in common]
    text = "/* Made by tools/common_passwords.py. */\n#define COMMON_PASSWORDS \\\n" + "\n".join(quoted) + "\n\n"
    pathlib.Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
