"""The Debian package: built, installed, started, upgraded, removed, in a root of its own."""

import gzip
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
from pathlib import Path

import pytest

import packages
from hosts import web
from packages import PROGRAMS, ROOT, succeed
from people import SECRET, fill
from processes import eventually, give_away, running
from programs import run

# The names of the static program, where there is one; the others are those of the ordinary one.
EACH_QUESTION = ["hallpass-apache", "hallpass-checkpassword", "hallpass-pam"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="dpkg wants root, in any root")


@pytest.fixture(scope="module")
def build(base_directory, hallpass_programs):
    """Builds the package of the programs under test."""
    work = base_directory / "package"
    usual = packages.target_of(work / "target", hallpass_programs)

    def build(name: str, target: Path = usual) -> Path:
        packages.build(target, work / name, "deb")
        [package] = (work / name).glob("*.deb")
        return package

    return build


@pytest.fixture(scope="module")
def package(build):
    return build("first")


@pytest.fixture(scope="module")
def later(base_directory, package):
    """The same, but for its number."""
    tree = base_directory / "later"
    succeed(["dpkg-deb", "--raw-extract", package, tree])
    control = tree / "DEBIAN" / "control"
    text, changed = re.subn(r"(?m)^Version: .*$", "Version: 99.0-1", control.read_text())
    assert changed == 1
    control.write_text(text)
    succeed(["dpkg-deb", "-Znone", "--build", tree, f"{tree}.deb"])
    shutil.rmtree(tree)
    return Path(f"{tree}.deb")


class Machine:
    """A directory that dpkg takes for a whole machine."""

    def __init__(self, root: Path):
        self.root = root
        for name in ["info", "updates", "parts", "triggers"]:
            (root / "var/lib/dpkg" / name).mkdir(parents=True)
        for name in ["status", "available"]:
            (root / "var/lib/dpkg" / name).touch()
        (root / "etc").mkdir()

    def dpkg(self, *words) -> str:
        return succeed(
            ["dpkg", f"--root={self.root}", f"--log={self.root}/dpkg.log"]
            + ["--force-depends", "--force-script-chrootless", "--force-confold", *words],
            env=os.environ | {"PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}"},
        )

    def __truediv__(self, path: str) -> Path:
        return self.root / path


@pytest.fixture(scope="module")
def installed(base_directory, package):
    """The machine after the first installation."""
    machine = Machine(base_directory / "machine")
    machine.dpkg("--install", package)
    return machine


def test_everything_is_in_it(installed, hallpass_programs):
    for name in PROGRAMS:
        program = installed / "usr/bin" / name
        assert stat.S_IMODE(program.stat().st_mode) == 0o755
        assert run([program, "--version"]).stdout == run([hallpass_programs[name], "--version"]).stdout
    # What the shells are taught is what the program says.
    for path, shell in [
        ("usr/share/bash-completion/completions/{}", "bash"),
        ("usr/share/zsh/vendor-completions/_{}", "zsh"),
        ("usr/share/fish/vendor_completions.d/{}.fish", "fish"),
    ]:
        for name in PROGRAMS:
            expected = run([hallpass_programs["hallpass"], "completions", shell, name]).stdout
            assert (installed / path.format(name)).read_bytes() == expected
    schema = installed / "usr/share/hallpass/hallpass.schema.json"
    assert schema.read_bytes() == run([hallpass_programs["hallpass"], "config", "--schema"]).stdout
    documents = installed / "usr/share/doc/hallpass"
    for folder in ["docs", "examples"]:
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert files
        for path in files:
            if path.suffix == ".toml" and folder == "docs":
                continue
            copy = documents / path.relative_to(ROOT)
            assert copy.read_bytes() == path.read_bytes(), f"{copy} is not in the package"


def test_lintian_finds_nothing_wrong(base_directory, package):
    """But for what the package's overrides justify. Programs of other sizes are looked at by the release."""
    tree = base_directory / "lint"
    succeed(["dpkg-deb", "--raw-extract", package, tree])
    for name in PROGRAMS:
        (tree / "usr/bin" / name).unlink()
        shutil.copy("/usr/bin/true", tree / "usr/bin" / name)
    sums = tree / "DEBIAN/md5sums"
    of_true = succeed(["md5sum", "/usr/bin/true"]).split()[0]
    sums.write_text(re.sub(r"(?m)^\w+(?=  usr/bin/)", of_true, sums.read_text()))
    succeed(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, f"{tree}.deb"])
    found = succeed(["lintian", "--allow-root", "--fail-on=error,warning", f"{tree}.deb"])
    assert not [line for line in found.splitlines() if line[:2] in ("E:", "W:")], found


def test_the_programs_are_one_file(installed):
    files = [(installed / "usr/bin" / name).stat() for name in PROGRAMS]
    assert len({file.st_ino for file in files}) == 1
    assert {file.st_nlink for file in files} == {len(PROGRAMS)}
    listed = (installed / "var/lib/dpkg/info/hallpass.md5sums").read_text()
    assert all(f"  usr/bin/{name}\n" in listed for name in PROGRAMS)


def version(path: Path, argv0: str | Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [argv0, "--version"], executable=path, capture_output=True, text=True, **options
    )


def test_the_executed_path_decides_which_program_it_is(installed, directory):
    """Not argv[0], which hosts choose: Squid starts `(hallpass-squid)`."""
    for name in PROGRAMS:
        path = installed / "usr/bin" / name
        for argv0 in [path, name, "hallpassd", f"({name})", "-sh", ""]:
            assert version(path, argv0).stdout.split()[0] == name, argv0
        link = directory / name
        link.symlink_to(installed / "usr/bin/hallpass")
        assert version(link, "hallpass-pam").stdout.split()[0] == name


def test_another_name_for_the_path_runs_the_program_of_the_file(installed, directory):
    """A link with a name of its own, a script, and fexecve, by which sudo runs what has a digest."""
    for name in PROGRAMS:
        path = installed / "usr/bin" / name
        link = directory / f"my-{name}"
        link.symlink_to(path)
        script = directory / f"{name}.script"
        script.write_text(f"#!{path} --version\n")
        script.chmod(0o755)
        opened = os.open(path, os.O_RDONLY)
        try:
            by_number = version(f"/proc/self/fd/{opened}", "hallpass", pass_fds=[opened])
        finally:
            os.close(opened)
        assert version(link, "hallpass").stdout.split()[0] == name
        assert by_number.stdout.split()[0] == name
        assert run([script]).text.split()[0] == name
    renamed = directory / "renamed"
    shutil.copy2(installed / "usr/bin/hallpassd", renamed)
    assert version(renamed, "hallpassd").stdout.split()[0] == "hallpass"


def test_capabilities_that_are_meant_for_one_program_serve_no_other(installed, directory):
    program = directory / "hallpass-squid"
    shutil.copy2(installed / "usr/bin/hallpass-squid", program)
    # struct vfs_cap_data of linux/capability.h: revision 2, effective, CAP_NET_BIND_SERVICE.
    capability = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
    try:
        os.setxattr(program, "security.capability", capability)
    except OSError as error:
        pytest.skip(f"a file system without capabilities: {error}")
    for argv0 in [program, "hallpass"]:
        done = version(program, argv0)
        assert (done.returncode, done.stdout) == (77, "")
        assert "capabilities" in done.stderr


@pytest.mark.parametrize("mode", [0o2755, 0o4755, 0o6755])
def test_rights_that_are_meant_for_one_program_serve_no_other(installed, directory, mode):
    """A setuid or setgid file with several names does nothing under any of them, by any link."""
    directory.chmod(0o755)
    if os.statvfs(directory).f_flag & os.ST_NOSUID:
        pytest.skip("a file system on which no program gets such rights")
    program = directory / "hallpass-squid"
    shutil.copy2(installed / "usr/bin/hallpass-squid", program)
    nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    assert version(program, program, **nobody).returncode == 0
    os.chown(program, 1, 1)
    program.chmod(mode)
    paths = [program, *(directory / name for name in ["hallpass", "hallpassd", "hallpass-ejabberd"])]
    paths[1].symlink_to(program)
    paths[2].hardlink_to(program)
    paths[3].symlink_to(paths[2])
    for path in paths:
        for argv0 in [path, "hallpass-squid", "hallpass"]:
            done = version(path, argv0, **nobody)
            assert (done.returncode, done.stdout) == (77, ""), (path, argv0)
            assert "setgid" in done.stderr


def test_the_manual_is_in_it(installed, hallpass_programs, directory):
    """Where man looks: each page in the directory of its section."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": packages.EPOCH}
    assert run([hallpass_programs["hallpass"], "man", directory / "man"], env=environment).code == 0
    pages = {path.name: path.read_bytes() for path in (directory / "man").iterdir()}
    assert {name.rpartition(".")[0] for name in pages} >= set(PROGRAMS)
    found = {}
    for path in (installed / "usr/share/man").rglob("*.gz"):
        name = path.name.removesuffix(".gz")
        assert path.parent.name == f"man{name.rpartition('.')[2]}"
        found[name] = gzip.decompress(path.read_bytes())
    assert found == pages


def test_the_user_and_the_directory(installed):
    accounts = (installed / "etc/passwd").read_text()
    uid, gid = re.search(r"^hallpass:x:(\d+):(\d+):.*:/usr/sbin/nologin$", accounts, re.M).groups()
    assert 0 < int(uid) < 1000
    directory = (installed / "etc/hallpass").stat()
    assert stat.S_IMODE(directory.st_mode) == 0o750
    assert (directory.st_uid, directory.st_gid) == (0, int(gid))
    groups = (installed / "etc/group").read_text()
    asks = re.search(r"^hallpass-ask:[^:]*:(\d+):$", groups, re.M).group(1)
    assert 0 < int(asks) < 1000 and asks != gid
    # Nobody is let in, and nothing started, before there is a site.
    assert not list((installed / "etc/hallpass").iterdir())
    for unit in ["hallpassd.service", "hallpassd.socket"]:
        text = (installed / "lib/systemd/system" / unit).read_text()
        assert "ConditionPathExists=/etc/hallpass/hallpass.toml" in text


def test_who_may_ask_may_not_read(installed):
    """The sockets are of another group than configurations and secrets."""

    def unit(name: str) -> dict[str, str]:
        text = (installed / "lib/systemd/system" / name).read_text()
        return dict(re.findall(r"^(\w+)=(.*)$", text, re.M))

    socket, service = unit("hallpassd.socket"), unit("hallpassd.service")
    assert socket["SocketGroup"] == "hallpass-ask" and socket["SocketMode"] == "0660"
    # Sockets that the daemon makes itself have the group that it runs as.
    assert service["Group"] == "hallpass-ask"
    assert service["SupplementaryGroups"] == "hallpass"
    assert "hallpass-ask" not in (installed / "usr/lib/tmpfiles.d/hallpass.conf").read_text()


def test_who_could_ask_before_the_group_was_there_can_still_ask(base_directory, package, later):
    machine = Machine(base_directory / "before")
    machine.dpkg("--install", package)
    groups = machine / "etc/group"
    without = re.sub(r"(?m)^hallpass-ask:.*\n", "", groups.read_text())
    groups.write_text(re.sub(r"(?m)^(hallpass:.*:)$", r"\1www-data,ejabberd", without))
    shadow = machine / "etc/gshadow"
    if shadow.exists():
        shadow.write_text(re.sub(r"(?m)^hallpass-ask:.*\n", "", shadow.read_text()))
    said = machine.dpkg("--install", later)
    assert re.search(r"^hallpass-ask:.*:www-data,ejabberd$", groups.read_text(), re.M)
    # They need no more, and the administrator is told how to take the rest from them.
    for member in ("www-data", "ejabberd"):
        assert f"  gpasswd --delete {member} hallpass\n" in said
    # Whom an administrator takes out of it afterwards stays out.
    groups.write_text(re.sub(r"(?m)^(hallpass-ask:.*:).*$", r"\1", groups.read_text()))
    assert "gpasswd" not in machine.dpkg("--install", later)
    assert re.search(r"^hallpass-ask:[^:]*:\d+:$", groups.read_text(), re.M)


def test_systemd_finds_nothing_wrong(installed):
    where = f"--root={installed.root}"
    for unit in ["hallpassd.service", "hallpassd.socket"]:
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", where, unit],
            capture_output=True,
            text=True,
        )
        # Other packages' units and programs are not there.
        complaints = [
            line
            for line in done.stderr.splitlines()
            if "hallpassd" in line and "Command /bin/sh is not executable" not in line
        ]
        assert not complaints, done.stderr
    exposure = succeed(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", where]
        + ["--threshold=25", "hallpassd.service"]
    )
    assert "hallpassd.service" in exposure
    succeed(["systemd-tmpfiles", where, "--create", "hallpass.conf"])
    assert stat.S_IMODE((installed / "run/hallpass").stat().st_mode) == 0o755


def test_apparmor_finds_nothing_wrong(installed):
    profile = installed / "etc/apparmor.d/usr.bin.hallpassd"
    succeed(["/usr/sbin/apparmor_parser", "--skip-kernel-load", "--skip-cache", profile])


def test_fail2ban_has_the_filter(installed):
    line = (
        "2026-11-21T22:07:15.204Z info hallpassd: verdict=denied reason=wrong-password "
        'user="bob" client=192.0.2.7 door=auth ms=87.1'
    )
    found = succeed(["fail2ban-regex", line, installed / "etc/fail2ban/filter.d/hallpass.conf"])
    assert "1 matched" in found


class Manager:
    """The end of systemd that services report to."""

    def __init__(self, directory: Path):
        self.path = directory / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        give_away(self.path)
        self.socket.settimeout(30)
        self.told = b""

    def is_told(self, state: bytes):
        while state not in self.told:
            self.told += self.socket.recv(4096) + b"\n"


def test_started_by_its_sockets(installed, new_site, directory):
    """As its units say: the socket is made by another, the daemon says when it is ready, and
    that it lives."""
    site = new_site()
    fill(site, {"alice": {"groups": ["editors"]}})
    browser = site.login("alice", SECRET)
    config = site.write_configuration(daemon={"listen": []})
    door = directory / "http.sock"
    manager = Manager(directory)
    service = (installed / "lib/systemd/system/hallpassd.service").read_text()
    program = re.search(r"^ExecStart=/(\S+)$", service, re.M).group(1)
    environment = os.environ | {
        "NOTIFY_SOCKET": str(manager.path),
        "WATCHDOG_USEC": "300000",
        "HALLPASS_CONFIG": str(config),
    }
    keep = [word for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "HALLPASS_CONFIG"] for word in ["-E", name]]
    command = ["systemd-socket-activate", "-l", door, "--fdname=http", *keep, installed / program]
    with running(command, directory / "log", door.exists, env=environment):
        cookie = [("Cookie", browser.cookie_header)]
        answer = eventually(lambda: web.ask(door, "/auth", cookie), "an answer")
        assert answer.status == 200 and answer.headers["Remote-User"] == "alice"
        assert web.ask(door, "/auth", [("Cookie", "sessionid=" + "x" * 32)]).status == 401
        manager.is_told(b"READY=1")
        manager.is_told(b"WATCHDOG=1")
    manager.is_told(b"STOPPING=1")


def test_upgraded_and_removed(base_directory, package, later):
    machine = Machine(base_directory / "another-machine")
    machine.dpkg("--install", package)
    config = machine / "etc/hallpass/hallpass.toml"
    config.write_text('framework = "django"\n')
    (machine / "etc/hallpass").chmod(0o700)
    filter = machine / "etc/fail2ban/filter.d/hallpass.conf"
    filter.write_text("# Changed by hand.\n")
    accounts = (machine / "etc/passwd").read_text()

    machine.dpkg("--install", later)
    assert "Version: 99.0-1" in machine.dpkg("--status", "hallpass")
    assert config.read_text() == 'framework = "django"\n'
    assert stat.S_IMODE((machine / "etc/hallpass").stat().st_mode) == 0o700
    assert filter.read_text() == "# Changed by hand.\n"
    assert (machine / "etc/passwd").read_text() == accounts

    machine.dpkg("--remove", "hallpass")
    for name in ["usr/bin/hallpass", "lib/systemd/system/hallpassd.service", "usr/share/doc/hallpass"]:
        assert not (machine / name).exists()
    assert config.exists() and filter.exists()

    machine.dpkg("--purge", "hallpass")
    assert not filter.exists()
    # A site's secrets are not the package's to destroy.
    assert config.exists()
    config.unlink()
    machine.dpkg("--install", package)
    machine.dpkg("--purge", "hallpass")
    assert not (machine / "etc/hallpass").exists()


def test_programs_for_each_question_are_static(base_directory, build, package):
    """Where it is built. One that is older than the ordinary program is of other sources, and the
    package is the same as without it, byte for byte."""
    work = base_directory / "package"
    target = work / "static"
    program = target / "dist/hallpass"
    static = target / packages.STATIC / "dist/hallpass"
    for path in [program, static]:
        path.parent.mkdir(parents=True)
    shutil.copy2(work / "target/dist/hallpass", program)
    # A stand-in, that says of what kind it is.
    code = '#include <stdio.h>\nint main(void) { puts("static"); return 0; }\n'
    succeed(["cc", "-static", "-x", "c", "-o", static, "-"], input=code)

    tree = work / "static-tree"
    succeed(["dpkg-deb", "--raw-extract", build("with-static", target), tree])
    said = {path.name: succeed([path, "--version"]).strip() for path in (tree / "usr/bin").iterdir()}
    assert sorted(said) == sorted(PROGRAMS)
    assert [name for name in sorted(said) if said[name] == "static"] == EACH_QUESTION
    assert "libc6" in (tree / "DEBIAN/control").read_text()

    old = program.stat().st_mtime - 1
    os.utime(static, (old, old))
    again = build("with-old", target)
    for command in ["--info", "--contents"]:
        both = [succeed(["dpkg-deb", command, path]).splitlines() for path in (package, again)]
        assert both[0] == both[1]
    assert again.read_bytes() == package.read_bytes()
