"""docs/doctor.md names what the doctor finds: every fault that the tests plant, every check, and
every server."""

import re

import doctor_page


def test_faults_are_on_the_page():
    text = doctor_page.PAGE.read_text()
    assert doctor_page.page(text) == text, "run tests/end_to_end/doctor_page.py"


def test_every_check_is_explained():
    text, _, _ = doctor_page.PAGE.read_text().partition(doctor_page.BEGIN)
    explained = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", text, re.M))))
    planted = {fault.check for fault in doctor_page.faults()}
    assert planted <= explained, planted - explained


def test_every_server_is_named(shell):
    text = doctor_page.PAGE.read_text()
    values = re.search(r"`--host NAME` \|(.*)", text)[1]
    options = shell()("doctor", "--help").text
    known = re.findall(r"^ +- (\w+):", options.split("--host <")[1].split("--host-config")[0], re.M)
    assert len(known) >= 14
    assert {name for name in known if f"`{name}`" not in values} == set()
