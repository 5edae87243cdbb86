"""examples/monitoring: every query, asked of a real Prometheus that scrapes a real hallpassd."""

import json
import re
import shutil
import signal
import urllib.error
import urllib.parse
import urllib.request

import pytest

from hosts import example, web
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd, write_configuration
from hosts.example import EXAMPLES
from hosts.fixtures import site_with_accounts
from php_doors import write_configuration as write_tables
from processes import LOOPBACK, eventually, free_port, give_away, running, unprivileged
from programs import run
from stores.postgresql import PostgreSQL
from stores.redis import Redis

MONITORING = EXAMPLES / "monitoring"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
PROMETHEUS, PROMTOOL = "/usr/bin/prometheus", "/usr/bin/promtool"

# What Grafana puts in place of its variables.
INTERVAL = "10s"
VARIABLES = {"$__rate_interval": INTERVAL, "$instance": ".*", "$site": ".*"}


class Prometheus:
    """A running Prometheus, and its HTTP interface."""

    def __init__(self, port: int):
        self.url = f"http://{LOOPBACK}:{port}/api/v1/"

    def ask(self, path: str, **query: str):
        words = urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{words}", timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError((query, error.read())) from None

    def query(self, expression: str) -> list[dict]:
        data = self.ask("query", query=expression)
        assert data["resultType"] == "vector", (expression, data)
        return data["result"]


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def one_of_many(new_directory):
    """The configuration of a site on several machines: its replicas may lag, and wrong passwords are
    counted together."""
    directory = new_directory()
    with PostgreSQL(new_directory()) as database, Redis(new_directory()) as redis:
        database.create_database("wiki")
        database.execute(
            "CREATE TABLE people (id INT PRIMARY KEY, login TEXT, secret TEXT); "
            "GRANT SELECT ON people TO hallpass",
            "wiki",
        )
        tables = {
            "framework": "custom",
            "name": "wiki",
            "database": database.hallpass("wiki") | {"max_lag": "5s"},
            "limits": {"shared": redis.url()},
            "passwords": {"dummy": "pbkdf2_sha256$1000"},
            "custom": {
                "user": "SELECT id, login AS username, secret AS password FROM people WHERE login = :username"
            },
        }
        yield write_tables(directory / "wiki.toml", tables)


@pytest.fixture(scope="module")
def daemon(site, one_of_many, new_directory, hallpass_programs):
    directory = new_directory()
    socket, status = directory / "http.sock", (LOOPBACK, free_port())
    config = write_configuration(
        site,
        "monitoring.toml",
        name="shop",
        limits={"failures": 2},
        daemon={"listen": [f"unix:{socket}"], "status": ["tcp:{}:{}".format(*status)]},
    )
    configs = [config, one_of_many]
    with hallpassd(hallpass_programs["hallpassd"], configs, socket, status) as running_daemon:
        yield running_daemon


@pytest.fixture(scope="module")
def prometheus(daemon, new_directory):
    """Prometheus by the files of the example; only its port, the daemon's, and its haste are others."""
    directory, port = new_directory(), free_port()
    target = "{}:{}".format(*daemon.addresses[1])
    example.install("monitoring", directory, {"127.0.0.1:9188": target})
    file = directory / "prometheus.yml"
    file.write_text(file.read_text() + "\nglobal: { scrape_interval: 500ms, evaluation_interval: 1s }\n")
    give_away(directory)
    command = [
        PROMETHEUS, f"--config.file={file}", f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address={LOOPBACK}:{port}", "--log.level=warn",
    ]

    def ready() -> bool:
        try:
            urllib.request.urlopen(f"http://{LOOPBACK}:{port}/-/ready", timeout=5).close()
        except OSError:
            return False
        return True

    with running(command, directory / "prometheus.log", ready, cwd=directory, **unprivileged()):
        yield Prometheus(port)


@pytest.fixture(scope="module")
def scraped(daemon, prometheus):
    """Prometheus, once it has seen what changes over time."""
    eventually(lambda: prometheus.query("hallpass_program_info"), "the first scrape")
    daemon.process.send_signal(signal.SIGHUP)
    rates = [
        f'rate(hallpass_questions_total{{reason="{reason}"}}[{INTERVAL}]) > 0'
        for reason in ("", "throttled", "no-session")
    ] + [f"increase(hallpass_configuration_reloads_total[{INTERVAL}]) > 0"]

    def changing() -> bool:
        # An increase is seen once the first count has been.
        daemon.check("alice", PASSWORDS["alice"])
        daemon.check("bob", "wrong")
        daemon.ask("/auth")
        return all(map(prometheus.query, rates))

    eventually(changing, "rates")
    return prometheus


def rules() -> list[dict]:
    """The rules of alerts.yml, as Prometheus has read them."""
    done = run([PROMTOOL, "check", "rules", "alerts.yml"], cwd=MONITORING)
    assert done.code == 0, done
    return re.findall(r"^      - alert: (\w+)$", (MONITORING / "alerts.yml").read_text(), re.M)


def panel_queries() -> list[tuple[str, str]]:
    return [
        (panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]
    ]


def filled_in(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


# Shares of what has not happened, and 0 of 0.
MAY_BE_NAN = {"Time to the verdict", "Hashes spared"}


@pytest.mark.parametrize(("title", "expression"), panel_queries())
def test_a_panel_shows_something(scraped, title, expression):
    found = scraped.query(filled_in(expression))
    assert found, expression
    values = [float(series["value"][1]) for series in found]
    if title in MAY_BE_NAN:
        values = [value for value in values if value == value]
    assert values and all(0 <= value < float("inf") for value in values), found
    if "rate(" in expression and "unavailable" not in expression:
        assert any(values), found
    # What a legend names, the series have.
    legends = [t["legendFormat"] for p in DASHBOARD["panels"] for t in p["targets"] if t["expr"] == expression]
    for name in re.findall(r"\{\{(\w+)\}\}", "".join(legends)):
        assert all(series["metric"].get(name) for series in found if series["metric"]), (name, found)


def test_variables_and_annotations_of_the_dashboard(scraped):
    queries = [v["definition"] for v in DASHBOARD["templating"]["list"] if v["type"] == "query"]
    assert len(queries) == 2
    for query in queries:
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()
        names = {series["metric"].get(label) for series in scraped.query(filled_in(selector))}
        assert names and None not in names, query
    [annotation] = DASHBOARD["annotations"]["list"]
    assert scraped.query(filled_in(annotation["expr"]))


def test_the_dashboard_is_laid_out():
    """Panels do not overlap and stay within Grafana's 24 columns; identifiers differ."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    known = {v["name"] for v in DASHBOARD["templating"]["list"]} | {"__rate_interval", "__all"}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) <= known


def test_the_rules_by_promtool():
    assert len(rules()) >= 10
    done = run([PROMTOOL, "test", "rules", "alerts_test.yml"], cwd=MONITORING)
    assert done.code == 0, done.stdout.decode() + done.stderr.decode()


def test_every_alert_is_tested_to_fire_and_not_to():
    """In alerts_test.yml, which promtool has run."""
    text = (MONITORING / "alerts_test.yml").read_text()
    silent, *others = text.split("\n  - name: ")[1:]
    assert silent.startswith("nothing is wrong")
    for alert in rules():
        assert f"alertname: {alert} }}" in silent, alert
        assert re.search(rf"alertname: {alert}\n +exp_alerts:\n +- exp_labels", "".join(others)), alert


def test_every_alert_is_about_what_the_daemon_tells(scraped):
    """Each is evaluated without an error, and each metric that it names is there."""
    loaded = [rule for group in scraped.ask("rules")["groups"] for rule in group["rules"]]
    assert sorted(rule["name"] for rule in loaded) == sorted(rules())
    for rule in loaded:
        names = set(re.findall(r"\b(?:hallpass|process)_\w+|\bup\b", rule["query"]))
        assert names, rule
        for name in names:
            assert scraped.query(name), name
        # The labels that the texts use.
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        for label in used:
            assert any(label in series["metric"] for name in names for series in scraped.query(name)), label
    eventually(
        lambda: all(
            rule["health"] == "ok"
            for group in scraped.ask("rules")["groups"]
            for rule in group["rules"]
        ),
        "every rule is evaluated",
    )


def test_a_store_that_is_away_is_an_alert(scraped, site, daemon):
    """Pending at once, since each waits for a minute."""
    away = site.database.with_suffix(".away")
    shutil.move(site.database, away)
    try:
        eventually(
            lambda: {
                alert["labels"]["store"]
                for alert in scraped.ask("alerts")["alerts"]
                if alert["labels"]["alertname"] == "HallpassStoreDown"
            } == {"database", "sessions"},
            "the alert",
        )
    finally:
        shutil.move(away, site.database)


def test_a_refused_reload_is_an_alert(scraped, site, daemon):
    config = site.directory / "monitoring.toml"
    text = config.read_text()
    config.write_text(text + "\nframwork = 1\n")
    try:
        daemon.process.send_signal(signal.SIGHUP)
        eventually(
            lambda: [
                alert
                for alert in scraped.ask("alerts")["alerts"]
                if alert["labels"]["alertname"] == "HallpassReloadRefused" and alert["state"] == "firing"
            ],
            "the alert",
        )
    finally:
        config.write_text(text)


def test_the_metrics_by_promtool(daemon):
    """promtool reads the older text format alone, which is OpenMetrics but for its types and end."""
    text = web.ask(daemon.addresses[1], "/metrics").body.decode()
    assert text.endswith("# EOF\n")
    counters = re.findall(r"^# TYPE (\w+) counter$", text, re.M)
    lines = []
    for line in text.splitlines():
        word = re.match(r"# (?:TYPE|HELP) (\w+)", line)
        if word and word[1] in counters:
            line = line.replace(word[1], word[1] + "_total", 1)
        if word and line.endswith(" info"):
            line = line.replace(" info", " gauge").replace(word[1], word[1] + "_info", 1)
        elif word and f"# TYPE {word[1]} info" in text:
            line = line.replace(word[1], word[1] + "_info", 1)
        if not line.startswith(("# EOF", "# UNIT")):
            lines.append(line)
    done = run([PROMTOOL, "check", "metrics"], "\n".join(lines) + "\n")
    assert done.code == 0, done.stderr.decode()


def test_prometheus_by_the_files_of_the_example(directory):
    example.install("monitoring", directory, {})
    done = run([PROMTOOL, "check", "config", "prometheus.yml"], cwd=directory)
    assert done.code == 0, done
