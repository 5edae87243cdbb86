"""What a release consists of beside the Debian package: built, checked by the software that reads it,
installed, run and removed."""

import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import packages
from hosts import web
from packages import PROGRAMS, ROOT, succeed
from people import SECRET, fill
from processes import eventually, running
from programs import Shell, run
from test_init import Init

VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
MACHINE = platform.machine()
TAPLO = Path(sys.executable).with_name("taplo")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="installing wants root, in any root")


@pytest.fixture(scope="module")
def artifacts(base_directory, hallpass_programs):
    """The directory of all of them. A program that is not static stands in for the one that is."""
    work = base_directory / "artifacts"
    target = packages.target_of(work / "target", hallpass_programs, static=True)
    printed = packages.build(target, work / "made", "rpm", "tar", "image", "sbom", "schema")
    (work / "printed").write_text(printed)
    return work / "made"


def the_one(directory: Path, pattern: str) -> Path:
    [path] = directory.glob(pattern)
    return path


def with_libraries(root: Path, *programs: str | Path):
    """Copies the libraries that these programs are linked to, which a static one does not need."""
    for program in programs:
        for path in re.findall(r"(/\S+) \(0x", succeed(["ldd", program])):
            copy = root / path.lstrip("/")
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)


def test_each_is_there_with_its_checksum_and_its_size(artifacts):
    names = {path.name for path in artifacts.iterdir()}
    assert names == {
        f"hallpass-{VERSION}-1.{MACHINE}.rpm",
        f"hallpass-{VERSION}-{MACHINE}-linux.tar.gz",
        f"hallpass-{VERSION}.oci.tar",
        f"hallpass-{VERSION}.cdx.json",
        "hallpass.schema.json",
        "SHA256SUMS",
    }
    checked = succeed(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=artifacts)
    assert {line.removesuffix(": OK") for line in checked.splitlines()} == names - {"SHA256SUMS"}
    printed = (artifacts.parent / "printed").read_text()
    for name in names - {"SHA256SUMS"}:
        size = (artifacts / name).stat().st_size / 1e6
        assert re.search(rf"^ *{size:.1f} MB  {re.escape(name)}$", printed, re.M), printed


def test_the_same_sources_make_the_same_bytes(artifacts, base_directory):
    """In another directory, later, with another umask and in another language."""
    work = base_directory / "artifacts"
    target = work / "elsewhere/target"
    shutil.copytree(work / "target", target, ignore=shutil.ignore_patterns("packages*"))
    before = os.umask(0o077)
    try:
        packages.build(target, work / "again", "rpm", "tar", "image", "sbom", "schema")
    finally:
        os.umask(before)
    assert (work / "again/SHA256SUMS").read_bytes() == (artifacts / "SHA256SUMS").read_bytes()


@pytest.mark.parametrize("words", [["deb", "ebuild"], ["--fats"], ["--output"]])
def test_unknown_kinds_build_nothing(words, base_directory):
    done = subprocess.run([packages.BUILD, "--no-build", *words], capture_output=True, text=True)
    assert done.returncode != 0 and done.stderr and not done.stdout


# rpm


@pytest.fixture(scope="module")
def fedora(artifacts, base_directory):
    """A root in which rpm has installed the package, with the few programs that its scripts need."""
    root = base_directory / "fedora"
    for name in ["dev", "etc", "proc", "tmp", "var/lib/rpm", "usr/lib", "usr/lib64"]:
        (root / name).mkdir(parents=True)
    for name in ["lib", "lib64"]:
        (root / name).symlink_to(f"usr/{name}")
    os.mknod(root / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/login.defs").write_text("")
    for program in ["/bin/sh", "/usr/bin/getent", "/usr/sbin/groupadd", "/usr/sbin/useradd"]:
        copy = root / program.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(program, copy)
        with_libraries(root, program)
    install(root, "--install", the_one(artifacts, "*.rpm"))
    return root


def install(root: Path, *words) -> str:
    return succeed(["rpm", f"--root={root}", "--dbpath=/var/lib/rpm", "--nodeps", *words])


def rpm_of(artifacts: Path, *query: str) -> list[str]:
    return succeed(["rpm", "--query", *query, "--package", the_one(artifacts, "*.rpm")]).splitlines()


def test_the_rpm_says_what_it_is(artifacts):
    [said] = rpm_of(artifacts, "--queryformat=%{NAME} %{VERSION} %{LICENSE} %{ARCH} %{BUILDHOST} %{BUILDTIME}\n")
    assert said == f"hallpass {VERSION} MIT {MACHINE} reproducible.invalid {packages.EPOCH}"
    assert "/usr/sbin/useradd" in rpm_of(artifacts, "--requires")
    # RHEL 9 has this C library.
    needed = re.findall(r"libc\.so\.6\(GLIBC_2\.(\d+)\)", "\n".join(rpm_of(artifacts, "--requires")))
    assert needed and max(map(int, needed)) <= 34
    files = rpm_of(artifacts, "--list")
    for name in PROGRAMS:
        assert f"/usr/bin/{name}" in files
    assert not [path for path in files if path.startswith(("/lib/", "/usr/local", "/home", str(ROOT)))]
    licences = rpm_of(artifacts, "--licensefiles")
    assert "/usr/share/licenses/hallpass/third-party-licenses.txt.gz" in licences
    assert rpm_of(artifacts, "--configfiles") == ["/etc/fail2ban/filter.d/hallpass.conf"]


def test_the_scripts_of_the_rpm_are_shell(artifacts):
    text = "\n".join(rpm_of(artifacts, "--scripts"))
    scripts = re.split(r"^(?:pre|post)\w* scriptlet \(using /bin/sh\):$", text, flags=re.M)[1:]
    assert len(scripts) == 4, text
    for script in scripts:
        succeed(["sh", "-n"], input=script)


def test_the_rpm_is_installed_and_runs(fedora):
    users = (fedora / "etc/passwd").read_text()
    uid, gid = re.search(r"^hallpass:[x!]:(\d+):(\d+):.*:/sbin/nologin$", users, re.M).groups()
    assert 0 < int(uid) < 1000
    groups = (fedora / "etc/group").read_text()
    assert re.search(r"^hallpass-ask:x:\d+:$", groups, re.M)
    directory = (fedora / "etc/hallpass").stat()
    assert (directory.st_uid, directory.st_gid) == (0, int(gid))
    assert stat.S_IMODE(directory.st_mode) == 0o750
    with_libraries(fedora, fedora / "usr/bin/hallpass")
    for name in PROGRAMS:
        assert run(["/usr/sbin/chroot", fedora, f"/usr/bin/{name}", "--version"]).text.split()[0] == name
    text = (fedora / "usr/lib/systemd/system/hallpassd.service").read_text()
    assert "ExecStart=/usr/bin/hallpassd\n" in text


def test_the_rpm_is_removed_and_configurations_stay(fedora):
    config = fedora / "etc/hallpass/hallpass.toml"
    config.write_text('framework = "django"\n')
    changed = fedora / "etc/fail2ban/filter.d/hallpass.conf"
    changed.write_text("# Changed by hand.\n")
    install(fedora, "--erase", "hallpass")
    assert not list((fedora / "usr/bin").glob("hallpass*"))
    assert config.exists()
    assert changed.with_suffix(".conf.rpmsave").read_text() == "# Changed by hand.\n"


# The tarball


@pytest.fixture(scope="module")
def prefix(artifacts, base_directory):
    """Where the tarball is unpacked, as `tar -C /usr/local --strip-components=1` does."""
    prefix = base_directory / "local"
    prefix.mkdir()
    tarball = the_one(artifacts, "*.tar.gz")
    succeed(["tar", "-C", prefix, "--strip-components=1", "-xf", tarball])
    return prefix


def test_everything_in_the_tarball_is_below_one_directory_and_roots(artifacts):
    with tarfile.open(the_one(artifacts, "*.tar.gz")) as tar:
        for entry in tar:
            assert entry.name.split("/")[0] == f"hallpass-{VERSION}-{MACHINE}-linux"
            assert ".." not in entry.name.split("/")
            assert (entry.uid, entry.gid, entry.mtime) == (0, 0, int(packages.EPOCH))
            assert not entry.mode & 0o6022 and (entry.isreg() or entry.isdir() or entry.islnk())


def test_the_tarball_runs_where_it_is_unpacked(prefix):
    for name in PROGRAMS:
        assert run([prefix / "bin" / name, "--version"]).text.split()[0] == name
    assert len({(prefix / "bin" / name).stat().st_ino for name in PROGRAMS}) == 1
    unit = (prefix / "lib/systemd/system/hallpassd.service").read_text()
    assert "ExecStart=/usr/local/bin/hallpassd\n" in unit and "=/usr/bin/" not in unit
    for path in ["share/man/man8/hallpassd.8.gz", "share/doc/hallpass/LICENSE", "lib/sysusers.d/hallpass.conf"]:
        assert (prefix / path).is_file()


# The schema, as editors find it


def taplo(path: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [TAPLO, "lint", path], capture_output=True, text=True, timeout=60, cwd=path.parent
    )


def written_by(program: Path, site) -> Path:
    """The configuration that this program writes for the site."""
    init = Init(lambda config=None: Shell(program, config), site)
    init.hallpass()
    return init.output


def test_init_names_the_installed_schema_and_an_editor_checks_with_it(prefix, new_site, directory):
    path = written_by(prefix / "bin/hallpass", new_site())
    first = path.read_text().splitlines()[0]
    assert first == f"#:schema file://{prefix}/share/hallpass/hallpass.schema.json"
    done = taplo(path)
    assert done.returncode == 0, done.stderr
    # The schema has been read: what it forbids is found.
    for wrong in ["acess = 1\n", "[daemon]\nlisten = 5\n", "[limits]\ndeadline = 5\n"]:
        worse = directory / "worse.toml"
        worse.write_text(path.read_text().replace("\n[", f"\n{wrong}[", 1))
        assert taplo(worse).returncode != 0, wrong


def test_init_names_the_releases_schema_where_none_is_installed(hallpass_programs, new_site):
    path = written_by(hallpass_programs["hallpass"], new_site())
    first = path.read_text().splitlines()[0]
    repository = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["repository"]
    assert first == f"#:schema {repository}/releases/download/v{VERSION}/hallpass.schema.json"


# The image


@pytest.fixture(scope="module")
def container(artifacts, base_directory):
    """The image's files, unpacked by umoci, and its configuration."""
    layout = base_directory / "layout"
    layout.mkdir()
    succeed(["tar", "-C", layout, "-xf", the_one(artifacts, "*.oci.tar")])
    bundle = base_directory / "bundle"
    succeed(["umoci", "unpack", "--image", f"{layout}:{VERSION}", bundle])
    return bundle / "rootfs", json.loads((bundle / "config.json").read_text())


def test_the_image_has_no_shell_and_is_not_root(container):
    root, config = container
    process = config["process"]
    assert process["args"] == ["/usr/bin/hallpassd"]
    assert (process["user"]["uid"], process["user"]["gid"]) == (65532, 65532)
    executable = {
        path.name for path in root.rglob("*") if path.is_file() and path.stat().st_mode & 0o111
    }
    assert executable == set(PROGRAMS)
    assert not [path for path in root.rglob("*") if path.lstat().st_mode & stat.S_ISUID]
    for path in ["etc/ssl/certs/ca-certificates.crt", "usr/share/zoneinfo/Europe/Berlin"]:
        assert (root / path).stat().st_size > 0
    assert "libsqlite3-sys" in (root / "usr/share/doc/hallpass/licenses.txt").read_text()
    owners = {path.relative_to(root).as_posix(): path.lstat().st_uid for path in root.rglob("*")}
    assert [path for path, uid in owners.items() if uid] == ["run/hallpass"]


def test_the_container_lets_in_whom_the_site_lets_in(container, new_site, directory):
    """As compose.yaml starts it: by number, with a root that it cannot write to."""
    root, config = container
    with_libraries(root, root / "usr/bin/hallpass")
    site = new_site()
    fill(site, {"alice": {"groups": ["editors"]}})
    browser = site.login("alice", SECRET)
    listen = "unix:/run/hallpass/http.sock?mode=0666"
    written = site.write_configuration(daemon={"listen": [listen]})
    door = root / "run/hallpass/http.sock"
    # The site's files, where the container has them mounted.
    mounted = root / site.directory.relative_to("/")
    shutil.copytree(site.directory, mounted, dirs_exist_ok=True)
    for path in [mounted, *mounted.rglob("*")]:
        os.chown(path, 65532, 65532)
    shutil.copy(written, root / "etc/hallpass/hallpass.toml")
    (root / "etc/hallpass/hallpass.toml").chmod(0o644)
    user = config["process"]["user"]
    command = ["/usr/sbin/chroot", f"--userspec={user['uid']}:{user['gid']}", root, *config["process"]["args"]]
    # As the compose file has it.
    healthy = [*command[:-1], "/usr/bin/hallpass", "cache", "stats"]
    with running(command, directory / "log", door.exists, env={"PATH": "/usr/bin"}):
        answer = eventually(lambda: web.ask(door, "/auth", [("Cookie", browser.cookie_header)]), "an answer")
        assert answer.status == 200 and answer.headers["Remote-User"] == "alice"
        assert web.ask(door, "/auth", [("Cookie", "sessionid=" + "x" * 32)]).status == 401
        assert web.ask(door, "/auth").status == 401
        assert run(healthy).code == 0
    assert run(healthy).code == 75


def test_the_compose_file_is_of_this_version_and_of_this_image(container):
    _, config = container
    text = (ROOT / "examples/compose-django/compose.yaml").read_text()
    assert f"image: ghcr.io/hallpass/hallpass:{VERSION}\n" in text
    assert '["CMD", "/usr/bin/hallpass", "cache", "stats"]' in text
    for path in re.findall(r'"(/usr/bin/[\w-]+)"', text):
        assert path.removeprefix("/usr/bin/") in PROGRAMS
    assert str(config["process"]["user"]["uid"]) in text


# What it is built of


def test_the_list_of_parts_is_valid_and_whole(artifacts):
    text = the_one(artifacts, "*.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    document = json.loads(text)
    parts = {(it["name"], it["version"]): it for it in document["components"]}
    program = document["metadata"]["component"]
    assert (program["name"], program["version"]) == ("hallpass", VERSION)
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    locked = {(it["name"], it["version"]): it for it in lock}
    crates = {key: it for key, it in parts.items() if it["purl"].startswith("pkg:cargo/")}
    assert crates.keys() < locked.keys()
    for key, part in crates.items():
        assert part.get("hashes", [{}])[0].get("content") == locked[key].get("checksum")
        assert part["licenses"]
    scopes = {name: part["scope"] for (name, _), part in parts.items()}
    for name in ["ring", "rustls", "rusqlite", "sqlite", "tokio", "hallpassd"]:
        assert scopes[name] == "required"
    for name in ["cc", "serde_derive", "syn"]:
        assert scopes[name] == "excluded"
    # Of tests, and of other systems.
    assert not scopes.keys() & {"criterion", "windows-sys", "winapi", "core-foundation"}
    refs = {part["bom-ref"] for part in document["components"]} | {program["bom-ref"]}
    assert {it["ref"] for it in document["dependencies"]} == refs
    assert {ref for it in document["dependencies"] for ref in it["dependsOn"]} < refs


def test_every_crate_can_be_published():
    """With what the registry's pages show of it."""
    done = subprocess.run(
        ["cargo", "package", "--workspace", "--no-verify", "--allow-dirty", "--offline", "--list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    metadata = json.loads(succeed(["cargo", "metadata", "--no-deps", "--format-version=1"], cwd=ROOT))
    for package in metadata["packages"]:
        readme = Path(package["manifest_path"]).with_name("README.md")
        assert package["readme"] and readme.read_text().startswith(f"# {package['name']}\n")
        assert package["documentation"] == f"https://docs.rs/{package['name']}"
        assert 0 < len(package["keywords"]) <= 5 and package["categories"] and package["license"] == "MIT"
        # Only what a cycle allows: dependencies of tests need no version that is published.
        for dependency in package["dependencies"]:
            assert dependency["req"] != "*" or dependency["kind"] == "dev"


def test_cargo_install_hallpass_installs_every_program():
    metadata = json.loads(succeed(["cargo", "metadata", "--no-deps", "--format-version=1"], cwd=ROOT))
    programs = {
        target["name"]: package["name"]
        for package in metadata["packages"]
        for target in package["targets"]
        if target["kind"] == ["bin"]
    }
    assert programs == dict.fromkeys(PROGRAMS, "hallpass")
