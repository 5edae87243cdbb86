"""The people of the site that the hosts ask about."""

from dataclasses import dataclass

ACCOUNTS = [
    {
        "username": "alice",
        "password": "correct horse battery",
        "groups": ["editors", "chess"],
        "email": "alice@example.org",
        "first_name": "Alice",
        "last_name": "Liddell",
    },
    {"username": "bob", "password": "builder's tea"},
    {"username": "carol", "password": "pa:ss:word:", "groups": ["two words"]},
    {"username": "colin", "password": ":starts with one"},
    {"username": "dave", "password": "dave's own", "groups": ["two", "words", "Editors"]},
    {"username": "zoë", "password": "pässwörd €𝄞"},
    {"username": "blank", "password": "  blanks at both ends  "},
    {"username": "empty", "password": ""},
    {"username": "long", "password": "l" * 4096},
    # Those who may not.
    {
        "username": "erin",
        "password": "was a member",
        "is_active": False,
        "groups": ["editors"],
        "is_staff": True,
    },
    {"username": "frank", "password": None, "groups": ["editors"]},
    {"username": "garbled", "encoded": "pbkdf2_sha256$none$of$this"},
    # Rights.
    {"username": "reporter", "password": "by permission", "permissions": ["shop.view_report"]},
    {"username": "stella", "password": "by flag", "is_staff": True},
    {"username": "ursula", "password": "by nature", "is_superuser": True},
    # Names that hosts change on their way.
    {"username": "Walter", "password": "capital W"},
    {"username": "Ægir", "password": "capital Æ"},
    {"username": "Twin", "password": "one of two"},
    {"username": "TWIN", "password": "one of two"},
    {"username": "Kate", "password": "capital K"},
    {"username": "kate", "password": "small k"},
    {"username": "joe@example.org", "password": "an address"},
    {"username": "zoe smith", "password": "a blank"},
    # What is left of an injected line: `al\nice` must not become al with password ice.
    {"username": "al", "password": "ice", "groups": ["editors"]},
    {"username": "mallory", "password": "editors"},
]

PASSWORDS = {account["username"]: account.get("password") for account in ACCOUNTS}


@dataclass(frozen=True)
class Case:
    """A name and a password that somebody may type."""

    user: str
    password: str
    why: str

    def __str__(self) -> str:
        return self.why.replace(" ", "-")


def _good(user: str, why: str) -> Case:
    return Case(user, PASSWORDS[user], why)


# What the site itself says of each is asked of Django, not written here.
CASES = [
    _good("alice", "right"),
    _good("bob", "right without groups"),
    _good("carol", "colons"),
    _good("colin", "colon first"),
    _good("zoë", "not ASCII"),
    _good("blank", "blanks at both ends"),
    _good("empty", "empty and right"),
    _good("long", "as long as is allowed"),
    _good("ursula", "superuser"),
    _good("erin", "inactive"),
    _good("joe@example.org", "address as name"),
    Case("alice", "correct horse", "beginning of the right one"),
    Case("alice", "correct horse battery ", "blank too many"),
    Case("alice", "Correct horse battery", "other case"),
    Case("alice", PASSWORDS["bob"], "somebody else's"),
    Case("alice", "", "empty and wrong"),
    Case("alice", "pässwörd €𝄞", "not ASCII and wrong"),
    Case("alice", "l" * 4097, "longer than allowed"),
    Case("carol", "pa", "up to the first colon"),
    Case("carol", "pa:ss:word", "without the last colon"),
    Case("zoë", "pässwörd", "not ASCII and short"),
    Case("zoe", PASSWORDS["zoë"], "name without its accent"),
    Case("blank", "blanks at both ends", "blanks trimmed"),
    Case("erin", "not even right", "inactive and wrong"),
    Case("frank", "", "unusable and empty"),
    Case("frank", "!", "unusable and its mark"),
    Case("garbled", "anything", "damaged hash"),
    Case("nobody at all", "anything", "unknown"),
    Case("' OR 1=1 --", "anything", "SQL as name"),
    Case("alice%", PASSWORDS["alice"], "wildcard after the name"),
    Case("*", "anything", "wildcard as name"),
]
