"""Random paths of cgroups, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

ID = "a1b2c3d4e5f60718" * 4

_NAMES = st.sampled_from(
    [
        b"", b"..", b"system.slice", b"user@1.service", b"a.service", b"init.scope", b"x.scope", b"docker",
        b"payload", b"supervisor", b"lxc", b"lxc.payload", b"lxc.payload.", b"kubepods-pod.slice",
        b"pod" + b"0" * 32, ID.encode(), b"docker-" + ID.encode() + b".scope", b"machine-a.scope",
        b"systemd-nspawn@\\xff.service", b"a.slice:cri-containerd:" + ID.encode(), b"\xff\xfe", b"\\x2d",
    ]
)  # fmt: skip
PATHS = st.one_of(st.binary(max_size=60), st.lists(_NAMES, max_size=6).map(b"/".join))
