"""An nginx that asks others by auth_request."""

from pathlib import Path

from processes import LOOPBACK, listening, running

HTTP = """
daemon off;
pid {directory}/nginx.pid;
worker_processes 1;
error_log {directory}/error.log;
worker_rlimit_nofile 65536;
{modules}
events {{ worker_connections {connections}; }}
http {{
    {settings}
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {directory}/t1;
    proxy_temp_path {directory}/t2;
    fastcgi_temp_path {directory}/t3;
    uwsgi_temp_path {directory}/t4;
    scgi_temp_path {directory}/t5;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    {upstreams}
    {servers}
    server {{
        listen {loopback}:{port};
        root {directory}/www;
        {locations}
    }}
}}
"""
UPSTREAM = """
    upstream {name} {{
        server unix:{directory}/{name}.sock;
        {keepalive}
    }}
"""
KEEPALIVE = "keepalive 32; keepalive_requests 100000000;"
LOCATION = """
        location = /_{name} {{ internal; proxy_pass http://{name}{path}; }}
        location /{name}/ {{ auth_request /_{name}; }}
"""


def nginx(directory: Path, port: int, asked: dict[str, str], closing=(), servers="", connections=512,
          modules="", settings="", locations="", **options):
    """Runs nginx, which asks each of `asked` at its path by the socket of its name, and has a page
    of 1 KiB for it. Connections to those that are `closing` are not kept. The page below `lua` is for
    the caller's own `locations`."""
    for name in [*asked, "lua"]:
        page = directory / "www" / name / "page"
        page.parent.mkdir(parents=True)
        page.write_text("x" * 1024)
    kept = {name: "" if name in closing else KEEPALIVE for name in asked}
    upstreams = (UPSTREAM.format(name=n, directory=directory, keepalive=k) for n, k in kept.items())
    (directory / "nginx.conf").write_text(
        HTTP.format(
            directory=directory,
            loopback=LOOPBACK,
            port=port,
            upstreams="".join(upstreams),
            servers=servers,
            connections=connections,
            modules=modules,
            settings=settings,
            locations=locations
            + "".join(LOCATION.format(name=n, path=p) for n, p in asked.items()),
        )
    )
    return running(
        ["/usr/sbin/nginx", "-e", directory / "error.log", "-p", directory]
        + ["-c", directory / "nginx.conf"],
        directory / "console.log",
        lambda: listening(port),
        **options,
    )

