#!/usr/bin/env python3
"""Writes the C table of the files the program carries: everything under web/, and docs/openapi.json as /openapi.json.

web/docs/index.html becomes /docs/, web/static/x.js becomes /static/x.js. A file of a kind not listed here is an error, so
that nothing is served under a wrong type. Run by mk/web.mk; src/web/assets.c includes the result.

usage: tools/embed.py OUTPUT.h (from the repository's root)
"""

import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
}


def url_of(file):
    path = file.as_posix().removeprefix("web")
    return path.removesuffix("index.html")


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    files = {url_of(f): f for f in sorted(pathlib.Path("web").rglob("*")) if f.is_file() and not f.name.startswith(".")}
    files["/openapi.json"] = pathlib.Path("docs/openapi.json")
    unknown = [str(f) for f in files.values() if f.suffix not in TYPES]
    if unknown:
        sys.exit(f"embed.py: no content type for {', '.join(unknown)}; add the suffix to TYPES")
    bytes_, rows = [], []
    for i, (url, file) in enumerate(files.items()):
        bytes_.append(f'FILE_BYTES(f{i}, "{file.as_posix()}");')
        cors = ", .cors = true" if url == "/openapi.json" else ""
        rows.append(f'    {{.path = "{url}", .content_type = "{TYPES[file.suffix]}"{cors}, BYTES(f{i})}}, \\')
    out = pathlib.Path(sys.argv[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("/* Made by tools/embed.py. */\n" + "\n".join(bytes_) + "\n#define EMBEDDED_ROWS \\\n" + "\n".join(rows) + "\n\n")


if __name__ == "__main__":
    main()
