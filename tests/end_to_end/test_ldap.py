"""hallpassd as a directory, asked by OpenLDAP's own tools and by bytes written by hand."""

import pytest

from hosts import ldap
from hosts.accounts import ACCOUNTS, CASES, PASSWORDS
from hosts.fixtures import site_with_accounts
from hosts.ldap import BASE, GROUPS, PEOPLE, Raw, World, group, message, person
from processes import eventually

ALICE = person("alice")


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def world(new_directory, hallpass_programs, site):
    world = World(site, new_directory(), hallpass_programs)
    with world.running() as world.daemon:
        yield world


@pytest.fixture(scope="module")
def listing(new_directory, hallpass_programs, site):
    world = World(site, new_directory(), hallpass_programs, ldap={"base": BASE, "list": True, "size_limit": 7})
    with world.running() as world.daemon:
        yield world


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bind_is_as_the_site_says(world, case):
    allowed = world.site.ask("modwsgi_check_password", case.user, case.password) is True
    for at in (world.url, ldap.url(world.socket)):
        answer = ldap.whoami(at, person(case.user), case.password)
        if case.password == "":
            assert answer.code == ldap.UNWILLING
        elif allowed:
            assert answer.code == 0 and answer.output.strip().lower().startswith("dn:uid="), answer
        else:
            assert answer.code == ldap.WRONG, answer.output


def test_nobody_is_bound_by_the_password_of_another(world):
    """All pairs of accounts, on one connection each way: a bind that fails leaves nobody bound."""
    accounts = [name for name, password in PASSWORDS.items() if password]
    with Raw(world.port) as raw:
        number = 0
        for name in accounts:
            for owner in accounts:
                number += 1
                raw.send(message(number, ldap.bind(person(name), PASSWORDS[owner])))
                _, _, code = raw.response()
                # LDAP tells no cases apart: those who differ in nothing else are neither.
                same = [it for it in accounts if it.lower() == name.lower()]
                right = PASSWORDS[name] == PASSWORDS[owner] and len(same) == 1
                allowed = right and world.site.ask("modwsgi_check_password", name, PASSWORDS[owner]) is True
                assert code == (0 if allowed else ldap.WRONG), (name, owner)


@pytest.mark.parametrize(
    "dn, code",
    [
        ("alice", ldap.BAD_DN),
        ("alice@example.org", ldap.BAD_DN),
        ("DOMAIN\\alice", ldap.BAD_DN),
        ("uid=alice", ldap.WRONG),
        (f"cn=alice,{PEOPLE}", ldap.WRONG),
        (f"uid=alice,{GROUPS}", ldap.WRONG),
        (f"uid=alice,{BASE}", ldap.WRONG),
        ("uid=alice,ou=people,dc=example,dc=com", ldap.WRONG),
        (f"uid=alice,uid=alice,{PEOPLE}", ldap.WRONG),
        (f"uid=alice+cn=alice,{PEOPLE}", ldap.BAD_DN),
        (f"uid=al\\0aice,{PEOPLE}", ldap.WRONG),
        (f"uid=alice\\00,{PEOPLE}", ldap.WRONG),
        (f"uid=alice\\20,{PEOPLE}", ldap.WRONG),
        (f"uid=*,{PEOPLE}", ldap.WRONG),
        (PEOPLE, ldap.WRONG),
        (BASE, ldap.WRONG),
        ("cn=Subschema", ldap.WRONG),
        ("", ldap.WRONG),
    ],
)
def test_other_names_bind_nobody(world, dn, code):
    with Raw(world.port) as raw:
        raw.send(message(1, ldap.bind(dn, PASSWORDS["alice"])))
        assert raw.response() == (1, 0x61, code)


@pytest.mark.parametrize(
    "dn",
    [
        f"uid=alice,{PEOPLE}",
        f"UID=ALICE,OU=People,DC=EXAMPLE,DC=ORG",
        f"userid = alice , ou=people, dc=example, dc=org",
        f"0.9.2342.19200300.100.1.1=\\61lice,{PEOPLE}",
    ],
)
def test_a_name_may_be_written_as_ldap_has_it(world, dn):
    answer = ldap.whoami(world.url, dn, PASSWORDS["alice"])
    assert answer.output.strip() == f"dn:{ALICE}"


def test_passwords_are_bytes_that_the_site_knows(world):
    with Raw(world.port) as raw:
        for number, (password, code) in enumerate(
            [
                (b"correct horse battery", 0),
                (b"correct horse battery\0", ldap.WRONG),
                (b"correct horse battery\0x", ldap.WRONG),
                (b"\xff\xfe", ldap.WRONG),
                (b"a\nb\n\nc", ldap.WRONG),
                (b"x" * 70_000, ldap.WRONG),
                (b"", ldap.UNWILLING),
            ],
            1,
        ):
            raw.send(message(number, ldap.bind(ALICE, password)))
            assert raw.response() == (number, 0x61, code), password[:30]


def test_an_anonymous_bind_is_nobody(world):
    assert ldap.whoami(world.url).output.strip() == "anonymous"
    with Raw(world.port) as raw:
        raw.send(message(1, ldap.bind("", "")), message(2, ldap.bind(ALICE, PASSWORDS["alice"], version=2)))
        assert raw.response() == (1, 0x61, 0)
        assert raw.response() == (2, 0x61, ldap.PROTOCOL)
        sasl = ldap.tlv(0x60, ldap.integer(3), ldap.text(ALICE), ldap.tlv(0xA3, ldap.text("PLAIN"), ldap.text("\0alice\0x")))
        raw.send(message(3, sasl))
        assert raw.response() == (3, 0x61, ldap.SASL)


def test_an_entry_says_what_the_site_says(world):
    entry = world.found("(uid=alice)")[ALICE]
    assert entry == {
        "objectClass": ["top", "person", "organizationalPerson", "inetOrgPerson"],
        "uid": ["alice"],
        "cn": ["alice"],
        "sn": ["Liddell"],
        "givenName": ["Alice"],
        "displayName": ["Alice Liddell"],
        "mail": ["alice@example.org"],
        # There are Editors as well: LDAP cannot tell the two groups apart, so they are neither.
        "memberOf": [group("chess")],
    }
    operational = world.found("(uid=alice)", "+")[ALICE]
    assert operational["entryDN"] == [ALICE] and len(operational["entryUUID"][0]) == 36
    assert operational["subschemaSubentry"] == ["cn=Subschema"] and "uid" not in operational
    # The names of people who are called nothing else.
    assert world.found("(uid=bob)", "cn", "sn", "displayName", "mail")[person("bob")] == {
        "cn": ["bob"], "sn": ["bob"], "displayName": ["bob"],
    }


@pytest.mark.parametrize("account", [it["username"] for it in ACCOUNTS])
def test_whoever_is_found_by_a_name_binds_by_what_was_found(world, account):
    """As nearly every program does it: search, then bind as the entry that was found."""
    filter = f"(uid={''.join(f'{chr(92)}{byte:02x}' for byte in account.encode())})"
    found = world.found(filter, "uid")
    same = [it["username"] for it in ACCOUNTS if it["username"].lower() == account.lower()]
    active = {it["username"]: it.get("is_active", True) for it in ACCOUNTS}[account]
    if len(same) > 1 or not active:
        assert found == {}
        return
    ((dn, entry),) = found.items()
    assert entry == {"uid": [account]}
    password = PASSWORDS[account]
    if password and account != "garbled":
        assert ldap.whoami(world.url, dn, password).code == 0
    assert ldap.whoami(world.url, dn, "wrong").code == ldap.WRONG


ALICE_ALONE = [ALICE]


@pytest.mark.parametrize(
    "filter, expected",
    [
        ("(uid=ALICE)", ALICE_ALONE),
        ("(uid= alice )", ALICE_ALONE),
        ("(userid=alice)", ALICE_ALONE),
        ("(0.9.2342.19200300.100.1.1=alice)", ALICE_ALONE),
        ("(uid~=alice)", ALICE_ALONE),
        ("(mail=Alice@Example.org)", ALICE_ALONE),
        ("(rfc822Mailbox=alice@example.org)", ALICE_ALONE),
        ("(cn=alice)", ALICE_ALONE),
        ("(cn=Alice Liddell)", []),
        ("(uid=alice@example.org)", []),
        ("(uid=joe@example.org)", [f"uid=joe@example.org,{PEOPLE}"]),
        ("(uid=al*)", None),
        ("(uid=nobody at all)", []),
        ("(uid=kate)", []),
        ("(uid=Twin)", []),
        ("(uid=erin)", []),
        ("(uid=)", []),
        (f"(entryDN={ALICE})", ALICE_ALONE),
        ("(&(uid=alice)(objectClass=person))", ALICE_ALONE),
        ("(&(uid=alice)(objectClass=groupOfNames))", []),
        ("(&(uid=alice)(mail=bob@example.org))", []),
        ("(&(uid=alice)(uid=bob))", []),
        ("(|(uid=alice)(uid=bob))", [ALICE, person("bob")]),
        ("(|(uid=alice)(mail=alice@example.org)(cn=alice))", ALICE_ALONE),
        ("(&(uid=alice)(!(uid=bob)))", ALICE_ALONE),
        ("(&(uid=alice)(!(uid=alice)))", []),
        (f"(&(uid=alice)(memberOf={group('chess')}))", ALICE_ALONE),
        (f"(&(uid=alice)(memberOf=CN=Chess, ou=Groups,{BASE}))", ALICE_ALONE),
        (f"(&(uid=alice)(memberOf={group('editors')}))", []),
        (f"(&(uid=alice)(memberOf={group('nobodies')}))", []),
        (f"(&(uid=alice)(!(memberOf={group('nobodies')})))", ALICE_ALONE),
        (f"(&(uid=alice)(|(memberOf={group('chess')})(memberOf=x)))", ALICE_ALONE),
        # Three values: what is not known is neither true nor false.
        ("(sAMAccountName=alice)", []),
        ("(|(sAMAccountName=alice)(uid=alice))", ALICE_ALONE),
        ("(&(uid=alice)(sAMAccountName=alice))", []),
        ("(&(uid=alice)(!(sAMAccountName=bob)))", []),
        ("(&(uid=alice)(objectClass=user))", []),
        ("(&(uid=alice)(!(objectClass=user)))", []),
        ("(&(uid=alice)(uid>=a))", []),
        ("(&(uid=alice)(!(uid>=b)))", []),
        ("(&(uid=alice)(userAccountControl:1.2.840.113556.1.4.803:=2))", []),
        ("(&(uid=alice)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))", []),
        ("(uid:caseExactMatch:=alice)", []),
        ("(userPassword=*)", []),
        # Pieces of a name, where another part names somebody.
        ("(&(uid=alice)(cn=al*))", ALICE_ALONE),
        ("(&(uid=alice)(cn=*l*c*))", ALICE_ALONE),
        ("(&(uid=alice)(cn=*c*l*))", []),
        ("(&(uid=alice)(cn=*ICE))", ALICE_ALONE),
        ("(&(uid=alice)(cn=alice*alice))", []),
        ("(&(uid=alice)(memberOf=cn=ed*))", []),
        # Groups.
        ("(cn=editors)", []),
        ("(cn=chess)", [group("chess")]),
        (f"(member={ALICE})", [group("chess")]),
        (f"(&(cn=chess)(member={ALICE}))", [group("chess")]),
        (f"(&(cn=chess)(member={person('bob')}))", []),
        (f"(&(objectClass=posixGroup)(memberUid=alice))", []),
        (f"(|(member={ALICE})(uniqueMember={ALICE})(memberUid=alice))", [group("chess")]),
        ("(member=alice)", []),
        # Everything else lists.
        ("(objectClass=*)", None),
        ("(objectClass=inetOrgPerson)", None),
        ("(objectClass=groupOfNames)", None),
        ("(!(uid=alice))", None),
        ("(&)", None),
        ("(|)", []),
        (f"(memberOf={group('editors')})", None),
        ("(mail=*)", None),
        ("(displayName=Alice Liddell)", None),
        ("(|(uid=alice)(sn=Liddell))", None),
    ],
)
def test_filters(world, filter, expected):
    answer = world.search(filter, "1.1")
    if expected is None:
        assert answer.code == ldap.ACCESS and answer.entries == {}, answer.output
    else:
        assert answer.code == 0 and sorted(answer.entries) == sorted(expected), answer.output


# What products send, with the names and classes that their pages have an administrator write.
PRODUCTS = {
    "Nextcloud's login": "(&(|(objectclass=inetOrgPerson))(uid=%s))",
    "Nextcloud's login by mail": "(&(&(|(objectclass=inetOrgPerson)))(|(uid=%s)(|(mailPrimaryAddress=%s)(mail=%s))))",
    "Gitea": "(&(objectClass=inetOrgPerson)(|(uid=%s)(mail=%s)))",
    "GitLab": "(&(uid=%s)(objectClass=person))",
    "Grafana": "(cn=%s)",
    "Grafana by uid": "(uid=%s)",
    "Jenkins": "(uid=%s)",
    "JupyterHub": "(uid=%s)",
    "Apache": "(&(objectClass=*)(uid=%s))",
    "Dovecot": "(&(objectClass=inetOrgPerson)(uid=%s))",
    "Proxmox": "(&(|(objectClass=inetOrgPerson))(uid=%s))",
}


@pytest.mark.parametrize("product", PRODUCTS)
def test_filters_of_products_find_one_account(world, product):
    filter = PRODUCTS[product]
    assert world.names(filter.replace("%s", "alice")) == ALICE_ALONE
    for nobody in ("alic", "erin", "kate", "\\2a", "alice\\00"):
        assert world.names(filter.replace("%s", nobody)) == []
    # A name that a careless program does not escape.
    assert world.search(filter.replace("%s", "*"), "1.1").code == ldap.ACCESS


def test_attributes_as_they_are_asked_for(world):
    for asked, expected in [
        (["1.1"], {}),
        (["mail"], {"mail": ["alice@example.org"]}),
        (["MAIL", "nothing", "userPassword"], {"mail": ["alice@example.org"]}),
        (["1.1", "uid"], {"uid": ["alice"]}),
    ]:
        assert world.found("(uid=alice)", *asked) == {ALICE: expected}
    everything = world.found("(uid=alice)", "*", "+")[ALICE]
    assert {"uid", "entryUUID"} <= set(everything)
    types = world.search("(uid=alice)", "mail", "memberOf", options=["-A"])
    assert types.entries == {ALICE: {"mail": [""], "memberOf": [""]}}


def test_scopes(world):
    everything = "(objectClass=*)"
    for base, scope, expected in [
        (ALICE, "base", [ALICE]),
        (ALICE, "sub", [ALICE]),
        (ALICE, "one", []),
        (ALICE, "children", []),
        (BASE, "base", [BASE]),
        (BASE, "one", [GROUPS, PEOPLE]),
        (BASE, "sub", None),
        (PEOPLE, "base", [PEOPLE]),
        (PEOPLE, "one", None),
        (GROUPS, "children", None),
        (group("chess"), "base", [group("chess")]),
    ]:
        answer = world.search(everything, "1.1", base=base, options=["-s", scope])
        if expected is None:
            assert answer.code == ldap.ACCESS, (base, scope, answer.output)
        else:
            assert answer.code == 0 and sorted(answer.entries) == expected, (base, scope, answer.output)
    for base in (person("nobody"), person("erin"), person("kate"), group("none"), f"ou=x,{BASE}", "dc=org", "o=x"):
        for scope in ("base", "one", "sub", "children"):
            assert world.search("(uid=alice)", base=base, options=["-s", scope]).code == ldap.NO_OBJECT, base
    assert world.search("(uid=alice)", base="alice").code == ldap.BAD_DN
    # The base binds, whatever the filter says.
    assert world.names("(uid=bob)", base=ALICE) == []
    assert world.names("(uid=alice)", base=GROUPS) == []


def test_the_server_describes_itself(world):
    root = world.search("(objectClass=*)", "*", "+", base="", options=["-s", "base"]).entries[""]
    assert root["namingContexts"] == [BASE] and root["supportedLDAPVersion"] == ["3"]
    assert "1.3.6.1.4.1.4203.1.11.3" in root["supportedExtension"]
    # Without a certificate there is no TLS.
    assert "1.3.6.1.4.1.1466.20037" not in root["supportedExtension"]
    schema = world.search("(objectClass=subschema)", "attributeTypes", base="cn=Subschema", options=["-s", "base"])
    assert any("'uid'" in it for it in schema.entries["cn=Subschema"]["attributeTypes"])


def test_values_are_compared(world):
    at = world.url
    for dn, attribute, value, code in [
        (ALICE, "uid", "ALICE", ldap.TRUE),
        (ALICE, "uid", "bob", ldap.FALSE),
        (ALICE, "mail", "alice@example.org", ldap.TRUE),
        (ALICE, "objectClass", "inetOrgPerson", ldap.TRUE),
        (ALICE, "objectClass", "user", ldap.FALSE),
        (ALICE, "memberOf", group("chess"), ldap.TRUE),
        (ALICE, "memberOf", group("none"), ldap.FALSE),
        (person("bob"), "memberOf", group("chess"), ldap.FALSE),
        (person("bob"), "mail", "bob", ldap.NO_ATTRIBUTE),
        (ALICE, "userPassword", PASSWORDS["alice"], ldap.NO_ATTRIBUTE),
        (ALICE, "sAMAccountName", "alice", ldap.NO_ATTRIBUTE),
        (person("erin"), "uid", "erin", ldap.NO_OBJECT),
        (person("kate"), "uid", "kate", ldap.NO_OBJECT),
        (group("chess"), "member", ALICE, ldap.TRUE),
        (group("chess"), "member", f"UID=Alice, ou=People, {BASE}", ldap.TRUE),
        (group("chess"), "member", person("bob"), ldap.FALSE),
        (group("chess"), "member", person("erin"), ldap.FALSE),
        (group("chess"), "member", "alice", ldap.FALSE),
        (group("chess"), "uniqueMember", ALICE, ldap.NO_ATTRIBUTE),
        (group("chess"), "objectClass", "groupOfNames", ldap.TRUE),
        (group("none"), "member", ALICE, ldap.NO_OBJECT),
        # Two groups that LDAP cannot tell apart are neither.
        (group("editors"), "member", ALICE, ldap.NO_OBJECT),
        (PEOPLE, "ou", "people", ldap.TRUE),
        (f"uid=x,{GROUPS}", "uid", "x", ldap.NO_OBJECT),
        ("alice", "uid", "x", ldap.BAD_DN),
    ]:
        assert ldap.compare(at, dn, attribute, value) == code, (dn, attribute, value)


def test_an_entry_is_found_by_its_uuid(world):
    uuid = world.found("(uid=alice)", "entryUUID")[ALICE]["entryUUID"][0]
    assert world.names(f"(entryUUID={uuid})") == ALICE_ALONE
    assert world.names(f"(entryUUID={uuid.upper()})") == ALICE_ALONE
    chess = world.found("(cn=chess)", "entryUUID")[group("chess")]["entryUUID"][0]
    assert world.names(f"(entryUUID={chess})") == [group("chess")]
    other = ("0" if uuid[0] != "0" else "1") + uuid[1:]
    for nobody in (other, uuid[:-1] + "z", uuid[:-1], "00000000-0000-0000-0000-000000000000"):
        assert world.names(f"(entryUUID={nobody})") == []
    # It may be the hash of a key that is no number: a list would tell.
    assert world.search("(entryUUID=01234567-89ab-5def-8123-456789abcdef)").code == ldap.ACCESS


def test_nothing_is_written(world):
    changes = {
        "ldapadd": f"dn: {person('new')}\nobjectClass: inetOrgPerson\nuid: new\ncn: new\nsn: new\n",
        "ldapmodify": f"dn: {ALICE}\nchangetype: modify\nreplace: mail\nmail: x@example.org\n",
    }
    for program, ldif in changes.items():
        file = world.directory / f"{program}.ldif"
        file.write_text(ldif)
        for who in ({}, {"bind": ALICE, "password": PASSWORDS["alice"]}):
            assert ldap.tool(program, world.url, "-f", str(file), **who).code == ldap.UNWILLING
    who = {"bind": ALICE, "password": PASSWORDS["alice"]}
    assert ldap.tool("ldapdelete", world.url, ALICE, **who).code == ldap.UNWILLING
    assert ldap.tool("ldapmodrdn", world.url, ALICE, "uid=alicia", **who).code == ldap.UNWILLING
    assert ldap.tool("ldappasswd", world.url, "-s", "new", ALICE, **who).code != 0
    with Raw(world.port) as raw:
        raw.send(message(5, ldap.extended("1.3.6.1.4.1.4203.1.11.1")))
        assert raw.response() == (5, 0x78, ldap.UNWILLING)
        raw.send(message(6, ldap.extended("1.2.3.4")), message(7, ldap.extended("1.3.6.1.4.1.1466.20037")))
        assert raw.response() == (6, 0x78, ldap.PROTOCOL)
        assert raw.response() == (7, 0x78, ldap.PROTOCOL)


def test_critical_controls_are_refused(world):
    for control, code in [("!pr=5/noprompt", 0), ("pr=5/noprompt", 0), ("!sync=ro", ldap.CRITICAL)]:
        assert world.search("(uid=alice)", "1.1", options=["-E", control]).code == code, control
    assert world.search("(uid=alice)", "1.1", options=["-M"]).code == 0
    assert world.search("(uid=alice)", "1.1", options=["-MM"]).code == 0
    assert world.search("(uid=alice)", "1.1", options=["-e", "!authzid=dn:"]).code == ldap.CRITICAL


def test_lists(listing):
    people = listing.search("(objectClass=inetOrgPerson)", "uid")
    assert people.code == ldap.SIZE and len(people.entries) == 7
    few = listing.search("(objectClass=inetOrgPerson)", "uid", options=["-z", "3"])
    assert few.code == ldap.SIZE and len(few.entries) == 3
    assert listing.names(f"(memberOf={group('chess')})") == ALICE_ALONE
    assert listing.names("(displayName=alice lid*)") == ALICE_ALONE
    # Those who may not in are in no list, nor are those whom LDAP cannot tell apart.
    assert listing.names("(|(sn=erin)(sn=kate)(sn=twin)(sn=bob))") == [person("bob")]
    groups = listing.found("(objectClass=groupOfNames)")
    assert "cn=Editors,ou=groups,dc=example,dc=org" not in groups
    assert groups[group("chess")]["member"] == ALICE_ALONE
    assert listing.found(f"(member={ALICE})")[group("chess")]["member"] == ALICE_ALONE
    # Each part of a filter is compared with everybody.
    many = "".join(f"(displayName={'x' * 40}{number}*)" for number in range(100))
    assert listing.search(f"(|{many})").code == ldap.ADMIN_LIMIT
    # Enough for a list of few.
    assert len(listing.found("(&(objectClass=inetOrgPerson)(uid=*o*e*))", "uid")) <= 7


def test_messages_by_hand(world):
    ok = message(9, ldap.extended("1.3.6.1.4.1.4203.1.11.3"))
    for nonsense in [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x83\x02\x00\x01",
        b"\x30\x80\x02\x01\x01",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x05\x02\x01\x01\x1f\x00",
        message(-1, ldap.extended("1.3.6.1.4.1.4203.1.11.3")),
        ldap.tlv(0x30, ldap.integer(1), b"\x7a\x00"),
        ldap.tlv(0x30, ldap.integer(1), UNKNOWN),
        b"\x16\x03\x01\x00\x05hello",
    ]:
        with Raw(world.port) as raw:
            raw.send(nonsense)
            answers = raw.responses()
            assert answers in ([(0, 0x78, ldap.PROTOCOL)], []), nonsense
    deep = ldap.present("uid")
    for _ in range(60):
        deep = ldap.tlv(0xA2, deep)
    wide = ldap.tlv(0xA1, *[ldap.equal("uid", f"u{number}") for number in range(600)])
    many = ldap.tlv(0xA1, *[ldap.equal("uid", f"u{number}") for number in range(100)])
    with Raw(world.port) as raw:
        for number, (operation, code) in enumerate(
            [
                (ldap.find(BASE, deep), ldap.ADMIN_LIMIT),
                (ldap.find(BASE, wide), ldap.ADMIN_LIMIT),
                (ldap.find(BASE, many), ldap.ADMIN_LIMIT),
                (ldap.find(BASE, ldap.present("uid"), scope=4), ldap.PROTOCOL),
                (ldap.find(BASE, b"\xaa\x00"), ldap.PROTOCOL),
                (ldap.find(BASE, b""), ldap.PROTOCOL),
                (ldap.find(BASE, ldap.equal("uid", b"\xff")), 0),
                (ldap.find(BASE, ldap.equal("uid", b"alice\0")), 0),
                (ldap.find(BASE, ldap.equal("uid", "nobody"), time=1, size=1), 0),
            ],
            1,
        ):
            raw.send(message(number, operation))
            assert raw.response() == (number, 0x65, code), (number, code)
        # Many at a time are answered in their order; what ends the connection ends it.
        raw.send(*[message(number, ldap.find(BASE, ldap.equal("uid", "x"))) for number in range(20, 60)])
        assert [raw.response() for _ in range(40)] == [(number, 0x65, 0) for number in range(20, 60)]
        raw.send(message(60, b"\x50\x01\x05"), ok, message(61, ldap.UNBIND), ok)
        assert [it[0] for it in raw.responses()] == [9]


UNKNOWN = b"\x41\x00"


def test_a_message_comes_in_any_pieces(world):
    whole = message(1, ldap.bind(ALICE, PASSWORDS["alice"])) + message(2, ldap.find(BASE, ldap.equal("uid", "bob")))
    with Raw(world.port) as raw:
        for byte in whole:
            raw.send(bytes([byte]))
        assert [raw.response() for _ in range(3)] == [(1, 0x61, 0), (2, 0x64, None), (2, 0x65, 0)]


def test_wrong_passwords_are_counted_as_everywhere(directory, hallpass_programs, site):
    tables = {"limits": {"failures": 3, "failure_window": "1h"}}
    world = World(site, directory, hallpass_programs, **tables)
    with world.running():
        for _ in range(3):
            assert ldap.whoami(world.url, ALICE, "wrong").code == ldap.WRONG
        assert ldap.whoami(world.url, ALICE, PASSWORDS["alice"]).code == ldap.WRONG
        # A trusted host asks for everybody: the others are not locked out.
        assert ldap.whoami(world.url, person("bob"), PASSWORDS["bob"]).code == 0


def test_a_closed_account_and_a_new_password_count_at_once(directory, hallpass_programs, new_site):
    world = World(site_with_accounts(new_site), directory, hallpass_programs)
    with world.running():
        assert ldap.whoami(world.url, ALICE, PASSWORDS["alice"]).code == 0
        world.site.deactivate("alice")
        assert ldap.whoami(world.url, ALICE, PASSWORDS["alice"]).code == ldap.WRONG
        assert world.names("(uid=alice)") == []
        assert world.search("(objectClass=*)", base=ALICE).code == ldap.NO_OBJECT


def test_access_says_who_is_in_the_directory(directory, hallpass_programs, site):
    world = World(site, directory, hallpass_programs, access={"groups": ["chess"]}, ldap={"base": BASE, "list": True})
    with world.running():
        assert world.names("(objectClass=inetOrgPerson)") == ALICE_ALONE
        assert world.names("(uid=bob)") == []
        assert ldap.whoami(world.url, person("bob"), PASSWORDS["bob"]).code == ldap.WRONG
        assert ldap.whoami(world.url, ALICE, PASSWORDS["alice"]).code == 0


def test_people_who_log_in_by_their_addresses_are_called_so(directory, hallpass_programs, site):
    world = World(site, directory, hallpass_programs, access={"login": ["email"]})
    with world.running():
        ((dn, entry),) = world.found("(mail=ALICE@example.org)", "uid", "cn").items()
        assert entry == {"uid": ["alice@example.org"], "cn": ["alice@example.org"]}
        assert ldap.whoami(world.url, dn, PASSWORDS["alice"]).output.strip() == f"dn:{dn}"
        assert world.names("(uid=alice)") == []
        assert ldap.whoami(world.url, ALICE, PASSWORDS["alice"]).code == ldap.WRONG


def test_an_address_binds_and_is_not_the_name_of_an_entry(directory, hallpass_programs, site):
    world = World(site, directory, hallpass_programs, access={"login": ["username", "email"]})
    address = person("alice@example.org")
    with world.running():
        assert ldap.whoami(world.url, address, PASSWORDS["alice"]).output.strip() == f"dn:{ALICE}"
        assert world.search("(objectClass=*)", base=address).code == ldap.NO_OBJECT
        assert world.names("(uid=alice@example.org)") == []
        assert world.names("(mail=alice@example.org)") == [ALICE]
        assert ldap.compare(world.url, group("chess"), "member", address) == ldap.FALSE
        assert world.names(f"(member={address})") == []
        assert ldap.compare(world.url, address, "uid", "alice") == ldap.NO_OBJECT


def test_a_store_that_is_away_is_no_wrong_password(directory, hallpass_programs, new_site):
    world = World(site_with_accounts(new_site), directory, hallpass_programs)
    with world.running():
        assert ldap.whoami(world.url, ALICE, PASSWORDS["alice"]).code == 0
        world.site.database.rename(directory / "away")
        try:
            for password in (PASSWORDS["alice"], "wrong"):
                assert ldap.whoami(world.url, ALICE, password).code == ldap.UNAVAILABLE
            assert world.search("(uid=alice)").code == ldap.UNAVAILABLE
            assert ldap.compare(world.url, ALICE, "uid", "alice") == ldap.UNAVAILABLE
            root = world.search("(objectClass=*)", base="", options=["-s", "base"])
            assert root.code == 0
        finally:
            (directory / "away").rename(world.site.database)
        eventually(lambda: ldap.whoami(world.url, ALICE, PASSWORDS["alice"]).code == 0, "the site is back")

