"""Results of LDAP in pages (RFC 2696): all entries once, whatever the size of a page, and no more than
without."""

import ldap3
import pytest

from hosts import ldap
from hosts.accounts import PASSWORDS
from hosts.fixtures import site_with_accounts
from hosts.ldap import BASE, PEOPLE, Raw, World, find, group, paged, person, present
from processes import LOOPBACK, eventually

ALICE = person("alice")
EVERYTHING = present("objectClass")
# More than are read from the database at a time.
MANY = 707


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def listing(new_directory, hallpass_programs, site):
    world = World(site, new_directory(), hallpass_programs, ldap={"base": BASE, "list": True})
    with world.running() as world.daemon:
        yield world


@pytest.fixture(scope="module")
def limited(new_directory, hallpass_programs, site):
    world = World(site, new_directory(), hallpass_programs, ldap={"base": BASE, "list": True, "size_limit": 7})
    with world.running() as world.daemon:
        yield world


@pytest.mark.parametrize(
    "filter",
    ["(objectClass=*)", "(objectClass=inetOrgPerson)", "(objectClass=groupOfNames)", "(uid=alice)",
     "(|(uid=bob)(mail=alice@example.org)(cn=chess)(uid=alice))", "(ou=*)", "(uid=nobody at all)", "(sn=*o*)"],
)
def test_pages_are_the_whole(listing, filter):
    whole = listing.found(filter, "*", "memberOf", "member")
    for size in (1, 2, 3, len(whole) or 1, 1000):
        for criticality in ("", "!"):
            options = ["-E", f"{criticality}pr={size}/noprompt"]
            # `entries` refuses an entry that comes twice.
            assert listing.found(filter, "*", "memberOf", "member", options=options) == whole, size


def test_ldap3_reads_all_pages(listing):
    server = ldap3.Server(LOOPBACK, listing.port, get_info=ldap3.ALL)
    with ldap3.Connection(server, auto_bind=True) as connection:
        assert ldap.PAGED in [oid for oid, *_ in server.info.supported_controls]
        search = connection.extend.standard.paged_search
        for critical in (True, False):
            found = search(
                BASE, "(objectClass=inetOrgPerson)", attributes=["uid"],
                paged_size=4, paged_criticality=critical, generator=False,
            )
            names = sorted(it["dn"] for it in found)
            assert names == listing.names("(objectClass=inetOrgPerson)")


def test_pages_have_as_many_entries_together_as_one_search(limited):
    for size in (1, 2, 3, 6, 7, 8, 500):
        few = limited.search("(objectClass=inetOrgPerson)", "1.1", options=["-E", f"!pr={size}/noprompt"])
        assert (few.code, len(few.entries)) == (ldap.SIZE, 7), size
        few = limited.search("(objectClass=inetOrgPerson)", "1.1", options=["-z", "5", "-E", f"pr={size}/noprompt"])
        assert (few.code, len(few.entries)) == (ldap.SIZE, 5), size


def test_what_may_not_be_listed_may_not_in_pages(new_directory, hallpass_programs, site):
    world = World(site, new_directory(), hallpass_programs)
    with world.running():
        for control in ("pr=1/noprompt", "!pr=1/noprompt"):
            assert world.search("(objectClass=*)", options=["-E", control]).code == ldap.ACCESS
            assert world.names("(uid=alice)", options=["-E", control]) == [ALICE]
        with Raw(world.port) as raw:
            # A cookie that was never given.
            for number, cookie in enumerate([b"\0\0\0\0\0\0\0\1", b"x", b"\xff" * 1000], 1):
                raw.send(paged(number, find(BASE, EVERYTHING), 1, cookie))
                assert raw.page() == (0, ldap.UNWILLING, None)


def test_a_cookie_is_of_its_search_and_connection(listing):
    search = find(BASE, EVERYTHING)
    with Raw(listing.port) as raw, Raw(listing.port) as other:
        raw.send(paged(1, search, 2))
        count, code, first = raw.page()
        assert (count, code) == (2, 0) and first
        for number, (connection, operation, cookie) in enumerate([
            # Another search, another connection, and bytes that differ.
            (raw, find(BASE, present("uid")), first),
            (raw, find(PEOPLE, EVERYTHING), first),
            (raw, find(BASE, EVERYTHING, attributes=["uid"]), first),
            (other, search, first),
            (raw, search, first + b"\0"),
            (raw, search, first[:-1]),
            (raw, search, bytes(len(first))),
        ], 2):
            connection.send(paged(number, operation, 2, cookie))
            assert connection.page() == (0, ldap.UNWILLING, None), number
        # It still stands, with a page of another size, and is good for one page.
        raw.send(paged(20, search, 3, first))
        count, code, second = raw.page()
        assert (count, code) == (3, 0) and second not in (b"", first)
        raw.send(paged(21, search, 3, first))
        assert raw.page() == (0, ldap.UNWILLING, None)
        # The client ends it.
        raw.send(paged(22, search, 0, second))
        assert raw.page() == (0, 0, b"")
        raw.send(paged(23, search, 3, second))
        assert raw.page() == (0, ldap.UNWILLING, None)
        # Of many, the oldest is forgotten.
        cookies = []
        for number in range(30, 36):
            raw.send(paged(number, search, 1))
            cookies.append(raw.page()[2])
        for number, cookie in enumerate(cookies, 40):
            raw.send(paged(number, search, 1, cookie))
            count, code, _ = raw.page()
            assert (count, code) == ((0, ldap.UNWILLING) if number < 42 else (1, 0)), number


def test_another_bind_ends_the_pages_of_whoever_was_bound(listing):
    search = find(BASE, EVERYTHING)
    for dn, password in [(ALICE, PASSWORDS["alice"]), (ALICE, "wrong"), ("", "")]:
        with Raw(listing.port) as raw:
            raw.send(paged(1, search, 2))
            cookie = raw.page()[2]
            raw.send(ldap.message(2, ldap.bind(dn, password)))
            raw.response()
            raw.send(paged(3, search, 2, cookie))
            assert raw.page() == (0, ldap.UNWILLING, None)


def test_controls_by_hand(listing):
    search = find(BASE, EVERYTHING)
    whoami = ldap.extended("1.3.6.1.4.1.4203.1.11.3")
    with Raw(listing.port) as raw:
        for number, value in enumerate([
            b"", b"\x30\x00", b"\x30\x03\x02\x01\x05", b"\x30\x05\x02\x01\xff\x04\x00",
            b"\x30\x09\x02\x05\x00\xff\xff\xff\xff\x04\x00", b"\x30\x05\x02\x01\x05\x04\x09", b"\x04\x00",
        ], 1):
            for critical in (True, False):
                raw.send(paged(number, search, value, critical=critical))
                assert raw.page() == (0, ldap.PROTOCOL, None), value
        # Twice, and without a value.
        control = ldap.tlv(0x30, ldap.text(ldap.PAGED), ldap.text(b"\x30\x05\x02\x01\x02\x04\x00"))
        for controls in (control + control, ldap.tlv(0x30, ldap.text(ldap.PAGED))):
            raw.send(ldap.message(20, search, ldap.tlv(0xA0, controls)))
            assert raw.page() == (0, ldap.PROTOCOL, None)
        # Elsewhere it has no meaning.
        raw.send(paged(21, whoami, 5))
        assert raw.response() == (21, 0x78, ldap.CRITICAL)
        raw.send(paged(22, whoami, 5, critical=False))
        assert raw.response() == (22, 0x78, 0)
        raw.send(paged(23, ldap.bind(ALICE, PASSWORDS["alice"]), 5))
        assert raw.response() == (23, 0x61, ldap.CRITICAL)
        # The largest page, and an end without a beginning.
        raw.send(paged(24, search, 2**31 - 1))
        count, code, cookie = raw.page()
        assert code == 0 and cookie == b"" and count == len(listing.found("(objectClass=*)", "1.1"))
        raw.send(paged(25, search, 0))
        assert raw.page() == (0, 0, b"")
        # A client that hangs up between pages takes nothing with it.
        raw.send(paged(26, search, 1))
        assert raw.page()[1] == 0


def test_a_page_that_is_abandoned_leaves_the_connection_as_it_was(listing):
    search, whoami = find(BASE, EVERYTHING), ldap.extended("1.3.6.1.4.1.4203.1.11.3")
    abandon = lambda number: b"\x50" + ldap.integer(number)[1:]
    with Raw(listing.port) as raw:
        raw.send(ldap.message(1, ldap.bind(ALICE, PASSWORDS["alice"])))
        raw.response()
        raw.send(paged(2, search, 2), paged(3, search, 2))
        cookies = [raw.page()[2] for _ in range(2)]
        assert len(set(cookies)) == 2
        for number, cookie in enumerate(cookies, 10):
            raw.send(paged(number, search, 1000, cookie), ldap.message(50, abandon(number)), ldap.message(51, whoami))
            # The search may have been over.
            while (answer := raw.response())[0] != 51:
                assert answer[0] == number and answer[2] in (None, 0)
            assert answer == (51, 0x78, 0) and ALICE.encode() in raw.whole


def test_accounts_that_come_and_go_between_pages_move_no_other(directory, hallpass_programs, new_site):
    site = site_with_accounts(new_site)
    site.make_accounts(*[{"username": f"many{number}"} for number in range(MANY)])
    world = World(site, directory, hallpass_programs, ldap={"base": BASE, "list": True, "size_limit": 5000})
    search = find(BASE, ldap.equal("objectClass", "inetOrgPerson"), attributes=["1.1"])
    with world.running():
        whole = world.names("(objectClass=inetOrgPerson)")
        assert len(whole) > MANY
        for size in (100, 499, 500, 501, 5000):
            assert world.names("(objectClass=inetOrgPerson)", options=["-E", f"pr={size}/noprompt"]) == whole
        with Raw(world.port) as raw:
            raw.send(paged(1, search, 600))
            count, code, cookie = raw.page()
            assert (count, code) == (600, 0)
            # One of the first page, and one that is still to come.
            site.deactivate("many0")
            site.deactivate(f"many{MANY - 1}")
            raw.send(paged(2, search, 5000, cookie))
            assert raw.page() == (len(whole) - 600 - 1, 0, b"")
            # A page that the site could not give may be asked for again.
            raw.send(paged(3, search, 600))
            cookie = raw.page()[2]
            site.database.rename(directory / "away")
            try:
                raw.send(paged(4, search, 5000, cookie))
                assert raw.page() == (0, ldap.UNAVAILABLE, None)
            finally:
                (directory / "away").rename(site.database)
            eventually(lambda: world.search("(uid=alice)").code == 0, "the site is back")
            raw.send(paged(5, search, 5000, cookie))
            assert raw.page() == (len(whole) - 600 - 2, 0, b"")


def test_groups_come_in_pages_with_their_members(listing):
    groups = listing.found("(objectClass=groupOfNames)", options=["-E", "pr=1/noprompt"])
    assert groups[group("chess")]["member"] == [ALICE]
