"""Real services, each with a short backlog: one file a program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.e2e.services import gunicorn, haproxy, nginx, php_fpm, postgresql, redis
from tests.e2e.services.service import Service

# By name, the function that sets the service up in a folder; all of them can run side by side.
ALL: dict[str, Callable[[Path], Service]] = {
    "nginx": nginx.service,
    "redis": redis.service,
    "postgresql": postgresql.service,
    "php-fpm": php_fpm.service,
    "haproxy": haproxy.service,
    "gunicorn": gunicorn.service,
}
