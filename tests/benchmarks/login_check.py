"""One check of a Django password, beside hashlib (OpenSSL) and RustCrypto.

    login_check.py

Prints what `cargo bench -p hallpass-pbkdf2` does, and records its figures.
"""

import re
import subprocess

from figures import figure

ROW = re.compile(r"^(.+?) +[\d.]+ +([\d.]+) +[\d.]+x +[\d.]+x$", re.M)


def main() -> None:
    command = ["cargo", "bench", "--quiet", "-p", "hallpass-pbkdf2"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(output)
    openssl = re.search(r"with (OpenSSL [\d.]+)", output)[1]
    table = output.partition("PBKDF2-HMAC-SHA256")[2].partition("PBKDF2-HMAC-SHA1")[0]
    times = {label.strip(): float(time) for label, time in ROW.findall(table)}
    theirs = {f"hashlib, {openssl}": times["hashlib"], "RustCrypto": times["RustCrypto"]}
    for what, own in {"login check, one": "hmac_sha256", "login check, of 32 at once": "Engine, 32 waiting"}.items():
        for name, time in theirs.items():
            # An iteration in nanoseconds; Django 5.2 has a million.
            figure(what, ("hallpassd", times[own]), (name, time), "ms", less=True)


if __name__ == "__main__":
    main()
