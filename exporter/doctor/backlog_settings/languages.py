"""What programs in a language get that do not choose, and service managers that listen for others.

Libraries are last, since they cannot be told from outside.
"""

from __future__ import annotations

from typing import Final

from exporter.doctor.backlog_settings.backlog_setting import BacklogSetting

_GITHUB: Final = "https://github.com/"

LANGUAGES: Final = (
    BacklogSetting(
        "Node.js",
        ("node", "nodejs", "MainThread", "*.js", "*.mjs", "*.cjs"),
        "`backlog` of `server.listen()`",
        "511",
        511,
        "restart",
        "https://nodejs.org/api/net.html#serverlisten",
    ),
    BacklogSetting(
        "Java (ServerSocket)",
        ("java",),
        "`backlog` of `new ServerSocket()` or `bind()`",
        "50",
        50,
        "restart",
        _GITHUB + "openjdk/jdk/blob/master/src/java.base/share/classes/java/net/ServerSocket.java",
    ),
    BacklogSetting(
        "Python (socketserver, asyncio)",
        ("python*", "pypy*", "*.py", "http.server"),
        "`request_queue_size` of the class in socketserver, `backlog` of `create_server()` in asyncio",
        "5 in socketserver, 100 in asyncio",
        None,
        "restart",
        "https://docs.python.org/3/library/socketserver.html#socketserver.BaseServer.request_queue_size "
        "(asyncio: https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_server)",
    ),
    BacklogSetting(
        "Kestrel (ASP.NET Core)",
        ("dotnet", "*.dll"),
        "`SocketTransportOptions.Backlog`",
        "512",
        512,
        "restart",
        "https://learn.microsoft.com/dotnet/api/"
        "microsoft.aspnetcore.server.kestrel.transport.sockets.sockettransportoptions.backlog",
    ),
    BacklogSetting(
        "Erlang (gen_tcp)",
        ("beam*", "erl*"),
        "the option `{backlog, N}` of `gen_tcp:listen`",
        "5",
        5,
        "restart",
        _GITHUB + "erlang/otp/blob/master/lib/kernel/src/inet_int.hrl",
    ),
    BacklogSetting(
        "systemd",
        ("systemd",),
        "`Backlog=` of the .socket unit",
        "4294967295: net.core.somaxconn",
        None,
        "restart of the .socket unit",
        "https://www.freedesktop.org/software/systemd/man/latest/systemd.socket.html#Backlog=",
    ),
    BacklogSetting(
        "Go (net.Listen)",
        (),
        "none in its standard library",
        "net.core.somaxconn when it starts",
        None,
        "restart",
        _GITHUB + "golang/go/blob/master/src/net/sock_linux.go",
    ),
    BacklogSetting(
        "Netty",
        (),
        "`ChannelOption.SO_BACKLOG`",
        "net.core.somaxconn when it starts",
        None,
        "restart",
        _GITHUB + "netty/netty/blob/4.2/common/src/main/java/io/netty/util/NetUtil.java",
    ),
    BacklogSetting(
        "Rust (std::net::TcpListener)",
        (),
        "none: the crate socket2 has it, as `Socket::listen()`",
        "128; net.core.somaxconn for unix sockets",
        128,
        "restart",
        _GITHUB + "rust-lang/rust/blob/0028f344ce9f64766259577c998a1959ca1f6a0b/"
        "library/std/src/sys/net/connection/socket/mod.rs",
    ),
    BacklogSetting(
        "Rust (tokio::net::TcpListener)",
        (),
        "`TcpSocket::listen()` in place of `TcpListener::bind()`",
        "128 from mio 1.2 on, net.core.somaxconn with mio 1.1, 1024 before; for unix sockets "
        "net.core.somaxconn, and 1024 before mio 1.1",
        None,
        "restart",
        _GITHUB + "tokio-rs/mio/blob/master/CHANGELOG.md",
    ),
    BacklogSetting(
        "C, after Stevens (UNIX Network Programming)",
        (),
        "`LISTENQ` in unp.h; the environment variable LISTENQ where `Listen()` is used",
        "1024",
        1024,
        "restart",
        _GITHUB + "unpbook/unpv13e/blob/master/lib/unp.h",
    ),
)

# What a program is told of which no row is known.
OWN_PROGRAM: Final = BacklogSetting("", (), "the argument of `listen()`", "", None, "restart", "")
