"""`hallpass doctor` on ejabberd: options of single hosts, macros and included files, as ejabberd's own
parser reads them. docs/doctor.md has a table of the faults (see FAULTS)."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from test_doctor import Doctor, Patient, site  # noqa: F401: a fixture

HERE = Path(__file__).parent

# Two hosts, of which both ask Hallpass, as nearly all examples below begin.
START = """\
hosts: [a.example, b.example]
extauth_program: "PROGRAM --config CONFIG"
"""
RIGHT = "auth_method: [external]\nauth_use_cache: false\n"


@dataclass(frozen=True)
class Fault:
    """A configuration with a fault, and the finding. `line` is what stands there."""

    words: str
    text: str
    check: str
    status: str
    mend: str
    line: str = ""
    seen: str = ""
    domains: tuple[str, ...] = ()
    host: str = "ejabberd"
    # Files beside it.
    files: dict[str, str] = field(default_factory=dict, hash=False)


FAULTS = [
    Fault("the cache on for one host (`host_config`)",
          START + RIGHT + "host_config:\n  b.example:\n    auth_use_cache: true\n",
          "ejabberd-cache", "problem", "auth_use_cache: false", "    auth_use_cache: true",
          "on for b.example"),
    Fault("the cache on for one host, by the word `yes`",
          START + RIGHT + "host_config:\n  b.example:\n    auth_use_cache: yes\n",
          "ejabberd-cache", "problem", "auth_use_cache: false", "    auth_use_cache: yes",
          "on for b.example"),
    Fault("the cache off for one host alone",
          START + "auth_method: external\nhost_config:\n  b.example:\n    auth_use_cache: false\n",
          "ejabberd-cache", "problem", "auth_use_cache: false", "", "on for a.example"),
    Fault("`use_cache` off for one host alone",
          START + "auth_method: external\nhost_config:\n  b.example:\n    use_cache: off\n",
          "ejabberd-cache", "problem", "auth_use_cache: false", "", "on for a.example"),
    Fault("the cache on by a macro",
          "define_macro:\n  KEEP: on\n" + START + "auth_method: external\nauth_use_cache: KEEP\n",
          "ejabberd-cache", "problem", "auth_use_cache: false", "auth_use_cache: KEEP"),
    Fault("the cache on in an included file",
          START + "auth_method: external\ninclude_config_file: more.yml\n",
          "ejabberd-cache", "problem", "auth_use_cache: false", "auth_use_cache: true",
          files={"more.yml": "auth_use_cache: true\n"}),
    Fault("an included file of which the switch is disallowed",
          START + "auth_method: external\ninclude_config_file:\n  more.yml:\n"
          "    disallow: [auth_use_cache]\n",
          "ejabberd-cache", "problem", "auth_use_cache: false",
          files={"more.yml": "auth_use_cache: false\n"}),
    Fault("a method of one host that overrides `external`",
          START + RIGHT + "host_config:\n  b.example:\n    auth_method: internal\n",
          "ejabberd-method", "problem", "host_config of b.example", "    auth_method: internal",
          "b.example has no external"),
    Fault("a method in another spelling of the host's name",
          START + RIGHT + "host_config:\n  B.Example:\n    auth_method: [internal]\n",
          "ejabberd-method", "problem", "host_config of b.example", "    auth_method: [internal]"),
    Fault("a method by a macro",
          "define_macro:\n  OWN: [internal]\n" + START + RIGHT
          + "host_config:\n  b.example:\n    auth_method: OWN\n",
          "ejabberd-method", "problem", "host_config of b.example", "    auth_method: OWN"),
    Fault("no `external` where `[ejabberd] domains` wants it",
          START + "auth_use_cache: false\nauth_method: internal\n"
          "host_config:\n  a.example:\n    auth_method: external\n",
          "ejabberd-method", "problem", "host_config of b.example", "auth_method: internal",
          domains=("a.example", "b.example")),
    Fault("a second method that is appended for one host",
          START + RIGHT + "append_host_config:\n  b.example:\n    auth_method: [internal]\n",
          "ejabberd-method", "warning", "[external]", "    auth_method: [internal]",
          "internal lets people in"),
    Fault("an anonymous method beside `external`",
          START + "auth_use_cache: false\nauth_method: [external, anonymous]\n",
          "ejabberd-method", "warning", "[external]", "auth_method: [external, anonymous]",
          "anonymous lets people in"),
    Fault("a host that is not in `[ejabberd] domains`", START + RIGHT, "ejabberd-domains",
          "problem", 'add "b.example"', "hosts: [a.example, b.example]", domains=("a.example",)),
    Fault("the mechanism PLAIN is disabled", START + RIGHT + "disable_sasl_mechanisms: [digest-md5, plain]\n",
          "ejabberd-mechanism", "problem", "take PLAIN out", "disable_sasl_mechanisms: [digest-md5, plain]",
          "nobody logs in"),
    Fault("the mechanism PLAIN is disabled for one host",
          START + RIGHT + "host_config:\n  b.example:\n    disable_sasl_mechanisms: PLAIN\n",
          "ejabberd-mechanism", "problem", "take PLAIN out", "    disable_sasl_mechanisms: PLAIN",
          "b.example has no mechanism PLAIN"),
    Fault("a pool of one process for one host",
          START + RIGHT + "host_config:\n  b.example:\n    extauth_pool_size: 1\n",
          "ejabberd-pool", "warning", "processors", "    extauth_pool_size: 1"),
    Fault("another program's path for one host",
          START + RIGHT + 'host_config:\n  b.example:\n    extauth_program: "/usr/lib/hallpass-ejabberd"\n',
          "ejabberd-program", "problem", "see that", '    extauth_program: "/usr/lib/hallpass-ejabberd"'),
    Fault("an option that stands twice", START + RIGHT + "auth_method: internal\n",
          "ejabberd-option", "problem", "write auth_method once", "auth_method: internal",
          "does not start"),
    Fault("an option that an included file sets again",
          START + RIGHT + "include_config_file: more.yml\n",
          "ejabberd-option", "problem", "write auth_use_cache once", "auth_use_cache: true",
          "does not start", files={"more.yml": "auth_use_cache: true\n"}),
    Fault("a switch that is appended",
          START + RIGHT + "append_host_config:\n  b.example:\n    auth_use_cache: true\n",
          "ejabberd-option", "problem", "in host_config", "    auth_use_cache: true",
          "lists alone"),
    Fault("a switch in a spelling that ejabberd does not know",
          START + "auth_method: external\nauth_use_cache: False\n",
          "ejabberd-option", "problem", "auth_use_cache: false", "auth_use_cache: False",
          "neither true nor false"),
    Fault("a switch by an alias of YAML, which ejabberd does not know",
          START + "auth_method: external\nuse_cache: &same false\nauth_use_cache: *same\n",
          "ejabberd-option", "problem", "auth_use_cache: false", "auth_use_cache: *same",
          "neither true nor false"),
]  # fmt: skip

# Right ones, of which the doctor says nothing.
RIGHT_ONES = {
    "plain": START + RIGHT,
    "words": START + "auth_method: external\nauth_use_cache: no\n",
    "off": START + 'auth_method: external\nauth_use_cache: "off"\n',
    "use_cache": START + "auth_method: external\nuse_cache: n\n",
    "own switch before the general one": START
    + "auth_method: external\nauth_use_cache: false\nuse_cache: true\n"
    "host_config:\n  b.example:\n    use_cache: true\n",
    "each host by itself": START
    + "host_config:\n  a.example:\n    auth_method: [external]\n    auth_use_cache: false\n"
    "  b.example:\n    auth_method: external\n    auth_use_cache: off\n",
    "macros": "define_macro:\n  WAYS: [external]\n  NOT: off\n"
    + START
    + "auth_method: WAYS\nauth_use_cache: NOT\n",
    "the method of another host": START
    + "auth_method: internal\nhost_config:\n  b.example:\n    auth_method: external\n"
    "    auth_use_cache: false\n",
    "the cache of another host": START
    + RIGHT.replace("false", "true").replace("external", "internal")
    + "host_config:\n  b.example:\n    auth_method: external\n    auth_use_cache: false\n",
    "a pool of another host": START
    + "auth_method: internal\nextauth_pool_size: 1\nhost_config:\n  b.example:\n"
    "    auth_method: external\n    extauth_pool_size: 2\n    auth_use_cache: false\n",
    # Of which ejabberd takes no notice.
    "a file that a host includes": START
    + RIGHT
    + "host_config:\n  b.example:\n    include_config_file: more.yml\n",
    "a host of its own that domains leave out": START
    + RIGHT
    + "host_config:\n  b.example:\n    auth_method: internal\n",
}
DOMAINS = {"a host of its own that domains leave out": ["a.example"]}


@pytest.fixture
def patient(site, directory, shell):  # noqa: F811
    return Patient(site, directory, shell)


@dataclass
class Server:
    """An ejabberd.yml, and the doctor on it."""

    patient: Patient
    program: Path

    def write(self, text: str, files: dict[str, str]) -> Path:
        path = self.patient.directory / "ejabberd.yml"
        for name, more in files.items():
            (path.parent / name).write_text(more)
        program, config = str(self.program), str(self.patient.config)
        path.write_text(text.replace("PROGRAM", program).replace("CONFIG", config))
        return path

    def doctor(self, text: str, domains=(), files={}) -> Doctor:
        path = self.write(text, files)
        if domains:
            self.patient.configure(ejabberd={"domains": list(domains)})
        return self.patient.doctor("--host", "ejabberd", "--host-config", path)


@pytest.fixture
def server(patient, hallpass_programs):
    return Server(patient, hallpass_programs["hallpass-ejabberd"])


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.words for fault in FAULTS])
def test_fault_is_named_once(server, fault):
    doctor = server.doctor(fault.text, fault.domains, fault.files)
    complaints = doctor.complaints
    assert [it["check"] for it in complaints] == [fault.check], complaints
    (finding,) = complaints
    assert finding["status"] == fault.status, finding
    assert fault.mend in finding["mend"], finding
    assert fault.seen in finding["seen"], finding
    assert doctor.result.code == (1 if fault.status == "problem" else 0)
    # The place is that of the fault.
    place = finding["tried"].removeprefix("read ")
    name, _, line = place.partition(":")
    if fault.line:
        assert Path(name).read_text().splitlines()[int(line) - 1] == fault.line
    else:
        assert not line, place


@pytest.mark.parametrize("name", RIGHT_ONES)
def test_right_one_is_silent(server, name):
    server.doctor(RIGHT_ONES[name], DOMAINS.get(name, ())).is_silent()


def test_include_that_is_not_there(server):
    text = START + RIGHT + "include_config_file: nowhere.yml\n"
    server.doctor(text).names("ejabberd-include", "absolute path", "warning", 0)


def test_includes_without_end(server):
    text = START + RIGHT + "include_config_file: ejabberd.yml\n"
    server.doctor(text).names("host-configuration", "--host-config", "problem", 1)


def test_macros_without_end(server):
    text = "define_macro:\n  A: [A, A, A, A, A, A, A, A, A]\n" + START + "auth_method: A\n"
    server.doctor(text).names("host-configuration", "--host-config", "problem", 1)


def test_ejabberd_says_the_same(new_directory, hallpass_programs):
    """What is expected above is what ejabberd itself makes of these files."""
    directory = new_directory()
    program = str(hallpass_programs["hallpass-ejabberd"])
    cases: dict[str, Fault | str] = {fault.words: fault for fault in FAULTS} | RIGHT_ONES
    places = {}
    for number, (words, case) in enumerate(cases.items()):
        place = directory / str(number)
        place.mkdir()
        text, files = (case.text, case.files) if isinstance(case, Fault) else (case, {})
        (place / "ejabberd.yml").write_text(text.replace("PROGRAM", program))
        for name, more in files.items():
            (place / name).write_text(more)
        places[os.fspath(place / "ejabberd.yml")] = words
    code = HERE / "hosts" / "resolved_options.erl"
    subprocess.run(["erlc", "-o", directory, code], check=True, timeout=60)
    command = ["erl", "-noinput", "-pa", directory, "-kernel", "logger_level", "none"]
    command += ["-s", "resolved_options", "main", "-extra", *places]
    environment = os.environ | {"ERL_LIBS": "/usr/lib/x86_64-linux-gnu", "HOME": str(directory)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, cwd=directory
    )
    said: dict[str, list[list[str]]] = {}
    for line in done.stdout.splitlines():
        path, tab, rest = line.partition("\t")
        if tab and path in places:
            said.setdefault(places[path], []).append(rest.split("\t"))
    assert set(said) == set(cases), done.stdout + done.stderr
    for words, case in cases.items():
        refused = any(row[0] == "refused" for row in said[words])
        check = case.check if isinstance(case, Fault) else None
        assert refused == (check == "ejabberd-option"), (words, said[words])
        if refused:
            continue
        ours = [row for row in said[words] if "external" in row[1].split(",")]
        cached = {host for host, _, cache, *_ in ours if cache == "true"}
        assert bool(cached) == (check == "ejabberd-cache"), (words, said[words])
        if isinstance(case, Fault) and " on for " in f" {case.seen}":
            assert cached == {case.seen.removeprefix("on for ")}, (words, said[words])
        others = [row for row in said[words] if set(row[1].split(",")) != {"external"}]
        if check == "ejabberd-method":
            assert others, (words, said[words])
        if check == "ejabberd-pool":
            assert "1" in [row[3] for row in ours], (words, said[words])
