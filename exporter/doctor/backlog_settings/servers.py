"""Web servers, proxies and application servers."""

from __future__ import annotations

from typing import Final

from exporter.doctor.backlog_settings.backlog_setting import BacklogSetting

_GITHUB: Final = "https://github.com/"

SERVERS: Final = (
    BacklogSetting(
        "nginx",
        ("nginx", "openresty", "angie"),
        "`backlog=` of `listen`, once for each address and port",
        "511",
        511,
        "reload where the number was changed, else restart",
        _GITHUB + "nginx/nginx/blob/master/src/os/unix/ngx_linux_config.h",
    ),
    BacklogSetting(
        "Apache httpd",
        ("apache2", "httpd"),
        "`ListenBackLog`",
        "511",
        511,
        "restart",
        "https://httpd.apache.org/docs/current/mod/mpm_common.html#listenbacklog",
    ),
    BacklogSetting(
        "HAProxy",
        ("haproxy",),
        "`backlog` of the frontend or of `bind`",
        "its `maxconn`, else that of `global`",
        None,
        "restart",
        _GITHUB + "haproxy/haproxy/blob/master/src/listener.c "
        "(maxconn: " + _GITHUB + "haproxy/haproxy/blob/master/src/proxy.c)",
    ),
    BacklogSetting(
        "Envoy",
        ("envoy",),
        "`tcp_backlog_size` of the listener",
        "net.core.somaxconn",
        None,
        "restart, or another listener",
        _GITHUB + "envoyproxy/envoy/blob/main/api/envoy/config/listener/v3/listener.proto",
    ),
    BacklogSetting(
        "php-fpm",
        ("php-fpm*",),
        "`listen.backlog` of the pool",
        "net.core.somaxconn (-1); 511 before PHP 8.2",
        None,
        "restart; a reload keeps the old socket",
        _GITHUB + "php/php-src/pull/8410",
    ),
    BacklogSetting(
        "gunicorn",
        ("gunicorn*",),
        "`--backlog`, or `backlog` in its configuration",
        "2048",
        2048,
        "restart",
        "https://docs.gunicorn.org/en/stable/settings.html#backlog",
    ),
    BacklogSetting(
        "uWSGI",
        ("uwsgi*",),
        "`listen`",
        "100",
        100,
        "restart",
        _GITHUB + "unbit/uwsgi/blob/master/core/init.c",
    ),
    BacklogSetting(
        "Puma",
        ("puma*",),
        "`backlog=` in the address of `bind`, as in `tcp://0.0.0.0:9292?backlog=4096`",
        "1024",
        1024,
        "restart",
        _GITHUB + "puma/puma/blob/main/lib/puma/dsl.rb",
    ),
    BacklogSetting(
        "Unicorn",
        ("unicorn*",),
        "`:backlog` of `listen`",
        "1024",
        1024,
        "restart",
        _GITHUB + "defunkt/unicorn/blob/master/lib/unicorn/socket_helper.rb",
    ),
    BacklogSetting(
        "Tomcat",
        ("org.apache.catalina.*", "tomcat*"),
        "`acceptCount` of the `Connector` (`server.tomcat.accept-count` in Spring Boot)",
        "100",
        100,
        "restart",
        "https://tomcat.apache.org/tomcat-11.0-doc/config/http.html",
        units=("tomcat*.service",),
    ),
    BacklogSetting(
        "Jetty",
        ("org.eclipse.jetty.*", "jetty*"),
        "`acceptQueueSize` of the connector (`jetty.http.acceptQueueSize`)",
        "0: that of Java, 50",
        50,
        "restart",
        _GITHUB
        + "jetty/jetty.project/blob/jetty-12.1.x/jetty-core/jetty-server/src/main/config/modules/http.mod",
        units=("jetty*.service",),
    ),
)
