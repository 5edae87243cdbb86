"""JSON Web Tokens, and what PyJWT says of them.

    tests/.setup/venv/bin/python tests/vectors/jwt.py > crates/core/tests/data/jwt.json

`expected` is what PyJWT's `decode` gives at the time `now`: whose the token is, or the name of its
exception. Where this library asks for less than Hallpass, `stricter` says why Hallpass refuses."""

import base64
import json
import sys
from datetime import datetime, timezone
from unittest import mock

sys.path = [entry for entry in sys.path if not entry.endswith("vectors")]

import jwt  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: E402

NOW = 1_800_000_000
SECRET = "0123456789abcdef0123456789abcdef"
PRIVATE = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "other_rsa": rsa.generate_private_key(65537, 2048),
    "large_rsa": rsa.generate_private_key(65537, 4096),
    "short_rsa": rsa.generate_private_key(65537, 1024),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "other_p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def pem(name: str) -> str:
    return PRIVATE[name].public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def private_pem(name: str) -> str:
    return PRIVATE[name].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


KINDS = {"rsa": "RS256", "other_rsa": "RS256", "large_rsa": "RS256", "p256": "ES256", "ed25519": "EdDSA"}


def jwk(name: str, **more) -> dict:
    algorithm = jwt.algorithms.get_default_algorithms()[KINDS[name]]
    return algorithm.to_jwk(PRIVATE[name].public_key(), as_dict=True) | more


def encoded(data: bytes | dict) -> str:
    data = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(claims: dict | bytes, key: str = "rsa", alg: str | None = None, header: dict = {}, raw: bytes | None = None):
    """A token, whatever its header and claims: the signature is the key's."""
    alg = alg or KINDS.get(key, "HS256")
    first = raw if raw is not None else {"alg": alg, "typ": "JWT"} | header
    first = {name: value for name, value in first.items() if value is not None} if isinstance(first, dict) else first
    message = f"{encoded(first)}.{encoded(claims)}"
    algorithm = jwt.algorithms.get_default_algorithms()[alg]
    secret = SECRET.encode() if key == "secret" else key.encode() if key not in PRIVATE else PRIVATE[key]
    return f"{message}.{encoded(algorithm.sign(message.encode(), secret))}"


CLAIMS = {"sub": "7", "user": "alice", "iss": "https://id.example.org", "exp": NOW + 60}
cases = []


def add(note, token, key="rsa", algorithms=None, stricter=None, now=NOW, **settings):
    """What PyJWT says of `token`, by the public part of `key`."""
    algorithms = algorithms or [KINDS.get(key, "HS256")]
    verifier = SECRET if key == "secret" else pem(key)
    with mock.patch("jwt.api_jwt.datetime") as clock:
        clock.now.return_value = datetime.fromtimestamp(now, timezone.utc)
        try:
            options = {"require": ["exp"], "verify_sub": False}
            claims = jwt.decode(
                token, verifier, algorithms, options, audience=settings.get("audience"),
                issuer=settings.get("issuer"), leeway=settings.get("leeway", 0),
            )
            expected = claims.get("user")
            expected = expected if isinstance(expected, str) and expected else "MissingUser"
        except jwt.PyJWTError as error:
            expected = type(error).__name__
        except (ValueError, TypeError, AttributeError) as error:
            expected = type(error).__name__
    cases.append({"note": note, "token": token, "key": key, "algorithms": algorithms, "now": now,
                  "expected": expected, "stricter": stricter, **settings})


for key in ("rsa", "large_rsa", "p256", "ed25519", "secret"):
    add(f"signed by {key}", signed(CLAIMS, key), key)
    token = signed(CLAIMS, key)
    head, body, signature = token.split(".")
    add(f"{key}: without its signature", f"{head}.{body}.", key)
    add(f"{key}: two parts", f"{head}.{body}", key)
    add(f"{key}: four parts", f"{token}.{signature}", key)
    add(f"{key}: other claims", f"{head}.{encoded(CLAIMS | {'user': 'mallory'})}.{signature}", key)
    add(f"{key}: a shorter signature", token[:-4], key)
    add(f"{key}: a longer signature", f"{token}AAAA", key)
    add(f"{key}: padded", f"{head}.{body}.{signature}=", key, stricter="padding")
    add(f"{key}: white space around", f" {token}", key, stricter="white space")
    add(f"{key}: a line end", f"{token}\n", key, stricter="white space")
    add(f"{key}: alg none", f"{encoded({'alg': 'none'})}.{body}.", key)
    add(f"{key}: alg None", f"{encoded({'alg': 'None'})}.{body}.{signature}", key)
    add(f"{key}: no alg", f"{encoded({'typ': 'JWT'})}.{body}.{signature}", key)
add("another key", signed(CLAIMS, "other_rsa"), "rsa")
add("another key of P-256", signed(CLAIMS, "other_p256", "ES256"), "p256")
add("another secret", signed(CLAIMS, "another secret of 32 bytes ......"), "secret")
for key in ("rsa", "p256", "ed25519"):
    # The public key as a secret: the confusion of algorithms. PyJWT's own sign() refuses to do it.
    import hashlib
    import hmac
    for text in (pem(key), pem(key).strip()):
        message = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(CLAIMS)}"
        mac = hmac.new(text.encode(), message.encode(), hashlib.sha256).digest()
        add(f"HS256 by the public key of {key}", f"{message}.{encoded(mac)}", key)
add("an algorithm that is not allowed", signed(CLAIMS, "p256"), "rsa", ["RS256"])
add("RS384", signed(CLAIMS, "rsa", "RS384"), "rsa")
add("PS256", signed(CLAIMS, "rsa", "PS256"), "rsa")
add("HS512", signed(CLAIMS, "secret", "HS512"), "secret")
for seconds, note in [(-1, "a second ago"), (0, "now"), (1, "in a second"), (-30, "30 s ago"), (-29, "29 s ago")]:
    for leeway in (0, 30):
        add(f"exp {note}, leeway {leeway}", signed(CLAIMS | {"exp": NOW + seconds}), leeway=leeway)
for seconds in (-1, 0, 1, 30, 31):
    for leeway in (0, 30):
        add(f"nbf in {seconds}, leeway {leeway}", signed(CLAIMS | {"nbf": NOW + seconds}), leeway=leeway)
        add(f"iat in {seconds}, leeway {leeway}", signed(CLAIMS | {"iat": NOW + seconds}), leeway=leeway)
add("no exp", signed({name: value for name, value in CLAIMS.items() if name != "exp"}))
for value in ("1800000060", None, True, [], {}, "x"):
    stricter = "not a number"
    add(f"exp {value!r}", signed(CLAIMS | {"exp": value}), stricter=stricter)
    add(f"nbf {value!r}", signed(CLAIMS | {"nbf": value}), stricter=stricter)
    add(f"iat {value!r}", signed(CLAIMS | {"iat": value}), stricter=stricter)
add("exp with a fraction", signed(CLAIMS | {"exp": NOW + 60.5}))
add("exp far away", signed(CLAIMS | {"exp": 99_999_999_999}))
add("exp below zero", signed(CLAIMS | {"exp": -1}))
OURS = "https://id.example.org"
for issuer, note in [(OURS, "the issuer"), (OURS + "/", "a slash more"), ("https://ID.example.org", "another case")]:
    add(f"issuer: {note}", signed(CLAIMS | {"iss": issuer}), issuer=OURS)
add("issuer: missing", signed({name: value for name, value in CLAIMS.items() if name != "iss"}), issuer=OURS)
add("issuer: a list", signed(CLAIMS | {"iss": [OURS]}), issuer=OURS)
for audience in ("shop", "Shop", "shop2", "", ["shop"], ["x", "shop"], ["x"], [], ["shop", 1], 7, {"shop": 1}, None):
    add(f"audience {audience!r}", signed(CLAIMS | {"aud": audience}), audience="shop",
        stricter="null" if audience is None else None)
    add(f"audience {audience!r}, none configured", signed(CLAIMS | {"aud": audience}),
        stricter="a token for somebody" if audience in (None, [], "") else None)
add("audience: missing", signed(CLAIMS), audience="shop")
for user in (None, "", 7, ["alice"], {"name": "alice"}, True):
    add(f"user {user!r}", signed(CLAIMS | {"user": user}))
add("no user", signed({"exp": NOW + 60}))
add("claims that are a list", signed(b'["alice"]'))
add("claims that are not JSON", signed(b"alice"))
add("claims that are empty", signed(b""))
twice = json.dumps(CLAIMS)[:-1].encode()
add("user twice", signed(twice + b', "user": "mallory"}'), stricter="a member twice")
add("exp twice", signed(twice + b', "exp": 1}'), stricter="a member twice")
add("a member twice within", signed(twice + b', "x": {"a": 1, "a": 2}}'), stricter="a member twice")
add("alg twice", signed(CLAIMS, raw=b'{"alg": "none", "alg": "RS256"}'), stricter="a member twice")
add("crit", signed(CLAIMS, header={"crit": ["exp"], "exp": 1}), stricter="an extension")
add("crit that is empty", signed(CLAIMS, header={"crit": []}), stricter="an extension")
add("b64", signed(CLAIMS, header={"b64": True}), stricter="an extension")
add("zip", signed(CLAIMS, header={"zip": "DEF"}), stricter="an extension")
add("cty", signed(CLAIMS, header={"cty": "JWT"}), stricter="an extension")
add("its own key", signed(CLAIMS, "other_rsa", header={"jwk": jwk("other_rsa"), "jku": "https://evil"}), "rsa")
for typ, stricter in [("JWT", None), ("jwt", None), ("at+jwt", None), ("application/at+jwt", None), (None, None),
                      ("logout+jwt", "typ"), ("dpop+jwt", "typ"), ("secevent+jwt", "typ"), ("", "typ"), (7, "typ")]:
    add(f"typ {typ!r}", signed(CLAIMS, header={"typ": typ}), stricter=stricter)
add("kid", signed(CLAIMS, header={"kid": "one"}))
add("kid that is a path", signed(CLAIMS, header={"kid": "../../dev/null"}))
add("kid that is a number", signed(CLAIMS, header={"kid": 7}), stricter="kid")
add("deep claims", signed(twice + b', "x": ' + b"[" * 300 + b"]" * 300 + b"}"), stricter="depth")
add("long", signed(CLAIMS | {"x": "y" * 20_000}), stricter="size")
add("a name beyond ASCII", signed(CLAIMS | {"user": "Zoë"}))

sets = {
    "one": [jwk("rsa", kid="one", use="sig", alg="RS256")],
    "several": [jwk("rsa", kid="one"), jwk("other_rsa", kid="two"), jwk("p256", kid="three"), jwk("ed25519", kid="four")],
    "kinds": [jwk("rsa"), jwk("p256"), jwk("ed25519")],
    "encryption": [jwk("rsa", kid="one", use="enc"), jwk("other_rsa", kid="two", use="sig")],
    "operations": [jwk("rsa", kid="one", key_ops=["encrypt"]), jwk("p256", kid="two", key_ops=["verify"])],
    "other_algorithm": [jwk("rsa", kid="one", alg="PS256"), jwk("p256", kid="two", alg="ES256")],
    "secret": [{"kty": "oct", "kid": "one", "k": encoded(SECRET.encode())}],
    "short": [jwt.algorithms.RSAAlgorithm.to_jwk(PRIVATE["short_rsa"].public_key(), as_dict=True)],
    "p384": [jwt.algorithms.ECAlgorithm.to_jwk(PRIVATE["p384"].public_key(), as_dict=True)],
    "twice": [jwk("rsa", kid="one"), jwk("other_rsa", kid="one")],
    "none": [],
}
tokens = {
    f"{key} {kid}": signed(CLAIMS, key, header={"kid": kid})
    for key in ("rsa", "other_rsa", "p256", "ed25519") for kid in ("one", "two", "three", "four", "five", None)
}
print(json.dumps({
    "by": f"PyJWT {jwt.__version__}",
    "secret": SECRET,
    "public": {name: pem(name) for name in PRIVATE},
    "private": {"rsa": private_pem("short_rsa")},
    "cases": cases,
    "sets": {name: {"keys": keys} for name, keys in sets.items()},
    "tokens": tokens,
    "now": NOW,
}, indent=1, ensure_ascii=False))
