#!/usr/bin/env python3
"""Makes PBKDF2 vectors with Python's hashlib, that is with OpenSSL.

    python3 tests/vectors/pbkdf2.py > crates/pbkdf2/tests/data/hashlib.tsv

One line each: hash, iterations, and in hexadecimal password, salt and key, between tabs.
The same every time.
"""

import hashlib
import random

# Around the borders of a block of 64 bytes, with and without the 9 bytes of padding.
LENGTHS = [0, 1, 20, 32, *range(54, 57), *range(63, 66), *range(119, 130), 1000]


def main():
    chance = random.Random("hallpass")
    for name in ("sha1", "sha256"):
        for length in LENGTHS:
            row(chance, name, password=length)
            row(chance, name, salt=length)
        for salt in range(201):
            row(chance, name, salt=salt)
        for key in range(1, 101):
            row(chance, name, key=key)
        for iterations in (31, 32, 33, 999, 1000, 1001, 1002, 2001):
            row(chance, name, iterations=iterations)


def row(chance, name, *, password=None, salt=None, iterations=None, key=None):
    password = chance.randbytes(chance.randint(0, 140) if password is None else password)
    salt = chance.randbytes(chance.randint(0, 40) if salt is None else salt)
    iterations = iterations or chance.randint(1, 12)
    key = key or hashlib.new(name).digest_size
    derived = hashlib.pbkdf2_hmac(name, password, salt, iterations, key)
    print(name, iterations, password.hex(), salt.hex(), derived.hex(), sep="\t")


if __name__ == "__main__":
    main()
