"""Databases and message brokers."""

from __future__ import annotations

from typing import Final

from exporter.doctor.backlog_settings.backlog_setting import BacklogSetting

_GITHUB: Final = "https://github.com/"
_IBM: Final = "https://www.ibm.com/docs/en/SSFKSJ_9.2.0/com.ibm.mq.con.doc/"

DATA_STORES: Final = (
    BacklogSetting(
        "Redis",
        ("redis-server*", "valkey-server*"),
        "`tcp-backlog`, for its unix socket too",
        "511",
        511,
        "restart",
        _GITHUB + "redis/redis/blob/unstable/redis.conf",
    ),
    BacklogSetting(
        "PostgreSQL",
        ("postgres", "postmaster"),
        "`max_connections`, from which it follows",
        "twice `max_connections`",
        None,
        "restart",
        _GITHUB + "postgres/postgres/blob/master/src/backend/libpq/pqcomm.c",
    ),
    BacklogSetting(
        "MySQL",
        ("mysqld",),
        "`back_log`",
        "`max_connections`; 50 + a fifth of it before MySQL 8.0",
        None,
        "restart",
        "https://dev.mysql.com/worklog/task/?id=9704",
    ),
    BacklogSetting(
        "MariaDB",
        ("mariadbd",),
        "`back_log`",
        "50 + a fifth of `max_connections`, at most 900",
        None,
        "restart",
        _GITHUB + "MariaDB/server/blob/main/sql/mysqld.cc",
    ),
    BacklogSetting(
        "RabbitMQ",
        ("rabbitmq*",),
        "`tcp_listen_options.backlog`",
        "128",
        128,
        "restart",
        _GITHUB + "rabbitmq/rabbitmq-server/blob/main/deps/rabbit/Makefile",
        units=("rabbitmq*.service",),
    ),
    BacklogSetting(
        "IBM MQ",
        ("runmqlsr*", "amqcrsta*"),
        "`ListenerBacklog` in the TCP stanza of qm.ini, or `BACKLOG` of the listener",
        "100 on Linux, AIX and Windows; 255 on IBM i; 10000 on z/OS",
        100,
        "restart of the listener",
        _IBM + "q016110_.html (z/OS: " + _IBM + "q019690_.html)",
    ),
)
