"""What Werkzeug finds in Cookie headers.

    tests/.setup/flask/bin/python tests/vectors/cookies_werkzeug.py > crates/sites/tests/data/cookies_werkzeug.json

Each row is [header, the value of `SID`, or null where there is none].
"""
import json

from werkzeug.sansio.http import parse_cookie

HEADERS = [
    "SID=abc", "a=1; SID=abc; b=2", "a=1;SID=abc;", "\tSID=abc", " SID = abc ", "SID= abc ",
    "SID=first; SID=second", "SID=; SID=second", "SID; SID=second", "SID=first; SID", 'SID="abc"',
    'SID="abc', 'SID=abc"', 'SID=""', "SID=a=b", "SID=a%2Cb", "sid=abc", "Sid=abc; SID=x", "=SID",
    "=SID=abc", "", "; ;", ";SID=abc", "xSID=abc", "SIDx=abc", "a; SID=abc", "a; b; SID=abc; SID=def",
    "SID=a b", "SID=a,b", "a=SID=abc", "a=1, SID=abc", "SID =abc", "SID\t=\tabc\t",
    'SID=abc; a="; SID=evil"', 'a="SID=evil; SID=abc"; SID=late', 'a="; SID=evil"; SID=late',
    'a="\\"; SID=evil"; SID=late', 'a="x; SID=abc', 'a="x"y; SID=abc', 'SID="a"b; SID=late',
    'SID="a\\"b"', 'SID="a\\054b"', 'SID="a\\9b"', 'SID="a\\\\b"', 'SID="a;b"', 'SID="a" ; b=1',
    'SID=a"b"; SID=late', 'SI"D=abc; SID=late', "SID\n=abc", "SID=a\x00b", "SID==", 'SID="a\\777b"',
    "SID", "SID;", "a b; SID=abc", "SID=abc;SID=def", 'SID="\\"', 'SID="a\\"; SID=b"; SID=c',
]

rows = [json.dumps([header, parse_cookie(header).get("SID")]) for header in HEADERS]
print("[\n" + ",\n".join(rows) + "\n]")
