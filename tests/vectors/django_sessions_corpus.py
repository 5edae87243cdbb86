"""Writes the seeds of the fuzz targets of Django's sessions into tests/fuzz/corpus.

    python tests/vectors/django_sessions_corpus.py        (with lz4 and pyzstd)

Sound samples of every kind out of the vectors of real Djangos, and bombs: many mebibytes of zeros in every
compression.
"""

import base64
import gzip
import json
import lzma
import pathlib
import zlib

import lz4.frame
import pyzstd

HERE = pathlib.Path(__file__).resolve().parents[2]
DATA = HERE / "crates/sessions/tests/data"
CORPUS = HERE / "tests/fuzz/corpus"


def write(folder, name, data):
    (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    name = "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")
    while "--" in name:
        name = name.replace("--", "-")
    (CORPUS / folder / name).write_bytes(data)


for number, (data, *_) in enumerate(json.loads((DATA / "pickles.json").read_text())[::12]):
    write("django_pickles", f"random-{number}", base64.b64decode(data))
seen = set()
for case in json.loads((DATA / "django_sessions.json").read_text())["cases"]:
    container, login = case["container"], any(isinstance(verdict, dict) for verdict, _ in case["readings"])
    kind = (case["serializer"], case.get("kind"), case["note"].split(",")[0], ":" in container)
    if login and kind not in seen and len(container) < 3000 and "\n" not in container:
        seen.add(kind)
        by = case["by"].split()[0]
        write("django_containers", f"{case['note']} {case['serializer']} {by}", container.encode())
        if case["serializer"] == "pickle" and ":" not in container:
            write("django_pickles", f"{case['note']} {by}", base64.b64decode(container)[41:])
seen = set()
for row in json.loads((DATA / "django_sessions_caches.json").read_text()):
    kind = (row["codec"], row["note"])
    if row["note"] in ("a login", "a number", "an empty session") and kind not in seen:
        seen.add(kind)
        write("django_cache_values", f"{row['note']} {row['codec']} {row.get('flags', '')}",
              base64.b64decode(row["value"]))
zeros = bytes(64 << 20)
write("django_cache_values", "bomb zlib", zlib.compress(zeros[:16 << 20], 9))
write("django_cache_values", "bomb gzip", gzip.compress(zeros[:16 << 20], 9, mtime=0))
write("django_cache_values", "bomb zstd", pyzstd.compress(zeros, 19))
write("django_cache_values", "bomb xz", lzma.compress(zeros, preset=9))
write("django_cache_values", "bomb xz of xz", lzma.compress(lzma.compress(zeros, preset=9)))
for size in (lz4.frame.BLOCKSIZE_MAX64KB, lz4.frame.BLOCKSIZE_MAX1MB, lz4.frame.BLOCKSIZE_MAX4MB):
    write("django_cache_values", f"bomb lz4 {size}", lz4.frame.compress(zeros[:8 << 20], block_size=size))
# As much as fits, and a window or a dictionary for more.
text = bytes(range(256)) * (15 << 10)
write("django_cache_values", "bomb full zstd", pyzstd.compress(text, {
    pyzstd.CParameter.windowLog: 22, pyzstd.CParameter.contentSizeFlag: 0}))
write("django_cache_values", "bomb full xz", lzma.compress(text, preset=9))
write("django_cache_values", "bomb full lz4", lz4.frame.compress(text, block_size=6))
for log in (23, 27):
    write("django_cache_values", f"bomb zstd window {log}", pyzstd.compress(zeros, {
        pyzstd.CParameter.windowLog: log, pyzstd.CParameter.contentSizeFlag: 0}))
