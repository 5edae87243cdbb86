"""hallpassd behind nginx's auth_request, beside what else answers there.

    requests.py HALLPASSD LOAD PYTHON SETUP

By session, over unix sockets; the same page of 1 KiB. The peers are an nginx that answers `return
204`, a Lua script in nginx that looks whether there is such a session in Redis, and Django at
gunicorn and at uvicorn, whose view reads `request.user`. PYTHON has both servers; SETUP has
Debian's packages of Lua for nginx. In the end hallpassd and the first peer are asked half as often
as they could be, which shows how soon an answer comes.
"""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from behind_nginx import nginx
from figures import figure, rounds, seconds
from processes import free_port, give_away, running, unprivileged
from proc import children, processor_time
from scene import USER, answers, daemon, load, scene
from stores.redis import Redis

SECONDS, ROUNDS = seconds(2), rounds(5)
NAMES = {
    "nothing": "nginx, return 204",
    "hallpass": "hallpassd",
    "logging": "hallpassd, a line of log each",
    "cached": "hallpassd, sessions in Redis",
    "lua": "a Lua script that reads Redis",
    "gunicorn": "gunicorn, 2 workers, and Django",
    "uvicorn": "uvicorn, 2 workers, and Django",
}
BESIDE = [
    ("hallpass", "nothing", "at least 0.6"),
    ("logging", "nothing", ""),
    ("cached", "lua", ""),
    ("hallpass", "gunicorn", "at least 25"),
    ("hallpass", "uvicorn", ""),
]
LUA = """
        location /lua/ {{
            set $redis_port {port};
            set $key_prefix "{prefix}";
            access_by_lua_file {script};
        }}
"""
FILL = """
from django.core.cache.backends.redis import RedisCache
cache = RedisCache(url, {})
cache.set_many({f"django.contrib.sessions.cache{n:032}": login_keys(user) for n in [1234]}, 86400)
answer = cache.make_key("django.contrib.sessions.cache")
"""


# What it needs, from packages that are not installed.
MODULES = """
load_module {setup}/libnginx-mod-http-ndk/usr/lib/nginx/modules/ndk_http_module.so;
load_module {setup}/libnginx-mod-http-lua/usr/lib/nginx/modules/ngx_http_lua_module.so;
"""
LIBRARY = "libluajit2-5.1-2/usr/lib/x86_64-linux-gnu"
SEARCHED = ["lua-resty-core", "lua-resty-lrucache", "lua-nginx-redis"]


def main(program: str, client: str, python: str, setup: str) -> None:
    with scene() as (directory, site), ExitStack() as stack:
        store = directory / "redis"
        store.mkdir()
        redis = stack.enter_context(Redis(give_away(store)))
        url = redis.url(0)
        prefix = site.shell(FILL, url=url, user=USER)
        cached = {"session_engine": "django.contrib.sessions.backends.cache", "cache": url}
        pids = {}
        for name, tables in {"hallpass": {}, "logging": {"level": "info"},
                             "cached": {"django": cached}}.items():
            process, _ = stack.enter_context(daemon(program, directory, site, name=name, **tables))
            pids[name] = process.pid
        commands = {
            "gunicorn": ["-m", "gunicorn", "--workers", "2", "--bind",
                         f"unix:{directory}/gunicorn.sock", "django.core.wsgi:get_wsgi_application()"],
            "uvicorn": ["-m", "uvicorn", "--workers", "2", "--uds", f"{directory}/uvicorn.sock",
                        "--no-access-log", "--factory", "django.core.asgi:get_asgi_application"],
        }
        for name, command in commands.items():
            stack.enter_context(
                running([python, *command], directory / f"{name}.log",
                        lambda name=name: answers(directory / f"{name}.sock", "/whoami/"),
                        env=os.environ | site.environment)
            )
        searched = ";".join(f"{setup}/{name}/usr/share/lua/5.1/?.lua" for name in SEARCHED)
        script = directory / "session.lua"
        script.write_text(Path(__file__).with_name("session.lua").read_text())
        paths = dict.fromkeys(pids, "/auth?basic=0") | dict.fromkeys(commands, "/whoami/")
        port = free_port()
        front = nginx(
            directory, port, paths | {"nothing": ""}, closing=["gunicorn"],
            servers=f"server {{ listen unix:{directory}/nothing.sock; return 204; }}",
            modules=MODULES.format(setup=setup),
            settings=f'lua_package_path "{searched};;";',
            locations=LUA.format(port=redis.port, prefix=prefix, script=script),
            env={"LD_LIBRARY_PATH": f"{setup}/{LIBRARY}"},
            **unprivileged(),
        )
        master = stack.enter_context(front)
        # For a yardstick: what nginx itself needs to answer twice, once as the front and once as the
        # one that is asked.
        [pids["nothing"]] = children(master.pid)
        highest = measure(client, str(port), pids)
        late = {"hallpass": [], "nothing": []}
        for _ in range(ROUNDS):
            for name, times in late.items():
                times.append(load(client, str(port), f"/{name}/page", connections=64,
                                  seconds=SECONDS, rate=highest[name] / 2)[1:])
        for index, (what, goal) in enumerate({"median": "", "99th percentile": "at least 0.33"}.items()):
            own, peer = (median(each[index] for each in late[name]) for name in late)
            figure(f"time to an answer at half load, {what}", ("hallpassd", own),
                   ("nginx, return 204", peer), "us", less=True, goal=goal)


def measure(client: str, port: str, pids: dict[str, int]) -> dict[str, float]:
    """Prints how many requests a second each answers."""
    rates = {name: [] for name in NAMES}
    costs = {name: [] for name in pids}
    for round_number in range(ROUNDS + 1):
        for name in NAMES:
            begun = processor_time(pids[name]) if name in pids else 0
            rate, *_ = load(client, port, f"/{name}/page", connections=16, seconds=SECONDS)
            if round_number == 0:
                continue  # To warm up.
            rates[name].append(rate)
            if name in pids:
                costs[name].append((processor_time(pids[name]) - begun) / rate / SECONDS * 1e6)
    middle = {name: median(each) for name, each in rates.items()}
    for name, cost in costs.items():
        print(f"{NAMES[name]:31} {median(cost):8.1f} us of processor time a request")
    for own, peer, goal in BESIDE:
        ratio = median(a / b for a, b in zip(rates[own], rates[peer], strict=True))
        figure("/auth behind nginx", (NAMES[own], middle[own]), (NAMES[peer], middle[peer]),
               "requests/s", goal=goal, ratio=ratio)
    return middle


if __name__ == "__main__":
    main(*sys.argv[1:])
