"""sssd, as docs/ldap.md has it, in an /etc, a /run and a /var of its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import logs
from hosts.accounts import PASSWORDS
from hosts.fixtures import site_with_accounts
from hosts.ldap import BASE, World
from hosts.page import replaced, snippets
from processes import running
from programs import HANGS
from stores.certificates import make_certificates

# Unpacked by tests/setup.
SETUP = Path(__file__).resolve().parents[1] / ".setup"
PACKAGES = [SETUP.resolve() / name for name in ("sssd-common", "sssd-krb5-common", "sssd-ldap")]
SERVICE = "hallpass-sssd"
# In a name space, the program and its modules are where they look for each other.
CAN_RUN = os.geteuid() == 0 and not subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode


@pytest.mark.skipif(not CAN_RUN, reason="needs root, and a name space of its own")
def test_sssd(directory, hallpass_programs, new_site):
    certificates = make_certificates(directory / "certificates")
    ldap = {"base": BASE, "certificate": str(certificates.certificate), "certificate_key": str(certificates.key)}
    world = World(site_with_accounts(new_site), directory, hallpass_programs, ldap=ldap)
    for name in ("pam.d", "sssd"):
        (directory / "etc" / name).mkdir(parents=True)
    for name in ("ld.so.cache", "hosts"):
        shutil.copy(f"/etc/{name}", directory / "etc")
    (directory / "etc/group").write_text(Path("/etc/group").read_text() + "the-last-group:x:20000:\n")
    # Who is a user of the system.
    users = ["alice", "bob", "erin", "kate", "stranger"]
    lines = [f"{name}:x:{number}:100::/nonexistent:/bin/false" for number, name in enumerate(users, 20001)]
    (directory / "etc/passwd").write_text(Path("/etc/passwd").read_text() + "\n".join(lines) + "\n")
    (directory / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    module = SETUP.resolve() / "libpam-sss/lib/x86_64-linux-gnu/security/pam_sss.so"
    (directory / "etc/pam.d" / SERVICE).write_text(f"auth required {module}\naccount required {module}\n")
    (configuration,) = snippets("ldap.md", "sssd")
    file = directory / "etc/sssd/sssd.conf"
    file.touch(mode=0o600)
    file.write_text(replaced(configuration, {"3893": str(world.port), "/etc/hallpass/ca.pem": "/etc/ca.pem"}))
    shutil.copy(certificates.authority, directory / "etc/ca.pem")
    for name in ("run", "var", "work"):
        (directory / name).mkdir()
    over = lambda part: ":".join(str(package / part) for package in PACKAGES if (package / part).is_dir())
    script = f"""
        set -e
        mount -t overlay overlay -o lowerdir={over("usr")}:/usr /usr
        mount -t overlay overlay -o lowerdir={over("var")}:/var,upperdir={directory}/var,workdir={directory}/work /var
        mount --bind {directory}/etc /etc
        mount --bind {directory}/run /run
        export LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/sssd
        exec /usr/sbin/sssd --interactive
    """
    state = directory / "var/lib/sss"

    def ready() -> bool:
        """Whether all users and groups have been read: who asks earlier is put off for a minute."""
        cache = state / "db/cache_site.ldb"
        pipe = state / "pipes/private/pam"
        return pipe.exists() and cache.exists() and b"name=the-last-group@site" in cache.read_bytes()

    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    with world.running() as daemon, running(command, directory / "sssd.log", ready) as process:

        def granted(name: str, password: str) -> bool:
            logs.note(password)
            asked = ["nsenter", "-t", str(process.pid), "-m", "pamtester", SERVICE, name, "authenticate", "acct_mgmt"]
            done = subprocess.run(asked, input=password.encode() + b"\n", capture_output=True, timeout=HANGS)
            return done.returncode == 0

        for name, password, expected in [
            ("alice", PASSWORDS["alice"], True),
            ("bob", PASSWORDS["bob"], True),
            ("alice", "wrong", False),
            ("alice", "", False),
            ("alice", PASSWORDS["bob"], False),
            ("erin", PASSWORDS["erin"], False),
            ("kate", PASSWORDS["kate"], False),
            # Known to one side alone.
            ("stranger", "x", False),
            ("carol", PASSWORDS["carol"], False),
            ("alice", PASSWORDS["alice"], True),
        ]:
            assert granted(name, password) == expected, name
        world.site.deactivate("bob")
        assert not granted("bob", PASSWORDS["bob"])
        daemon.process.kill()
        daemon.process.wait()
        assert not granted("alice", PASSWORDS["alice"])
