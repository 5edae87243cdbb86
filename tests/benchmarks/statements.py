"""The session question at PostgreSQL, prepared and unnamed: what keeping statements is worth.

    statements.py

Asked by pgbench, over loopback, as Hallpass asks it where no pooler is in the way (prepared) and
where one is (unnamed, in a transaction that sets what it depends on), and unnamed alone.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from django_site import DjangoSite
from figures import figure, rounds, seconds
from processes import LOOPBACK, give_away
from stores.postgresql import PASSWORD, PROGRAMS, PostgreSQL

ROUNDS, SECONDS, SESSIONS = rounds(5), max(1, round(seconds(2))), 1000
FILL = """
from django.contrib.sessions.models import Session
User.objects.bulk_create(User(id=n, username=f"user{n}", password="x" * 88) for n in range(1, count + 1))
expires = timezone.now() + timedelta(days=1)
Session.objects.bulk_create(
    Session(session_key=f"{n:032}", session_data="x" * 250, expire_date=expires)
    for n in range(1, count + 1)
)
"""
QUESTION = r"""
\set number random(1, 1000)
SELECT a.*, b.* FROM
 (SELECT session_data, expire_date FROM django_session WHERE session_key = lpad(:number::text, 32, '0')) a
 LEFT JOIN (SELECT id, username, email, password, is_active, is_superuser, is_staff, first_name,
 last_name FROM auth_user WHERE id = :number) b ON 1 = 1;
"""
BEGIN = """
BEGIN READ ONLY;
SET LOCAL session_authorization TO DEFAULT;
SET LOCAL role TO DEFAULT;
SET LOCAL search_path TO DEFAULT;
SET LOCAL statement_timeout = 2000;
"""
WAYS = {
    "prepared": ("prepared", QUESTION),
    "unnamed": ("extended", QUESTION),
    # In one go, as Hallpass sends them.
    "unnamed, in a transaction": ("extended", "\\startpipeline\n" + BEGIN + QUESTION + "COMMIT;\n\\endpipeline\n"),
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hallpass-benchmark-") as place:
        directory = Path(place)
        directory.chmod(0o755)
        (directory / "server").mkdir()
        with PostgreSQL(give_away(directory / "server")) as server:
            with DjangoSite(directory / "site", directory / "templates", server=server) as site:
                site.shell(FILL, count=SESSIONS)
                rates = {name: [] for name in WAYS}
                for round_number in range(ROUNDS + 1):
                    for number, (name, (mode, script)) in enumerate(WAYS.items()):
                        file = directory / f"question{number}.sql"
                        file.write_text(script)
                        rate = pgbench(server, site.database_name, mode, file)
                        if round_number:  # The first is to warm up.
                            rates[name].append(rate)
    for name in list(WAYS)[1:]:
        ratio = median(a / b for a, b in zip(rates[name], rates["prepared"], strict=True))
        figure("session question at PostgreSQL", (name, median(rates[name])),
               ("prepared", median(rates["prepared"])), "questions/s", ratio=ratio)


def pgbench(server: PostgreSQL, database: str, mode: str, file: Path) -> float:
    """Questions a second on one connection."""
    command = [PROGRAMS / "pgbench", "-n", "-M", mode, "-f", file, "-T", str(SECONDS)]
    command += ["-h", LOOPBACK, "-p", str(server.port), "-U", "hallpass", database]
    environment = os.environ | {"PGPASSWORD": PASSWORD, "PGSSLMODE": "disable"}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(re.search(r"tps = ([\d.]+)", done.stdout)[1])


if __name__ == "__main__":
    main()
