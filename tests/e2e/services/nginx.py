"""nginx: two workers that share one socket, or with SO_REUSEPORT have one each."""

from __future__ import annotations

from pathlib import Path

from testbed import programs
from tests.e2e.services.service import HTTP, Service, tcp

_CONFIG = """\
daemon off;
worker_processes 2;
user root;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address}:{port} backlog={backlog}{more};
        return 200;
    }}
}}
"""


def service(
    folder: Path, *, port: int = 8080, backlog: int = 11, address: str = "127.0.0.1", reuse_port: bool = False
) -> Service:
    """Backlog from `listen ... backlog=`, whose default is 511."""
    config = folder / "nginx.conf"
    more = " reuseport" if reuse_port else ""
    config.write_text(_CONFIG.format(folder=folder, address=address, port=port, backlog=backlog, more=more))
    return Service(
        name="nginx",
        process="nginx",
        command=(programs.find("nginx"), "-e", "stderr", "-c", str(config)),
        folder=folder,
        listeners=(tcp(port, backlog, address),),
        exchanges=HTTP,
    )
