"""Which programs are interpreters, and how each reads its options.

Known from their manuals, and tried: python3(1), ruby(1), perlrun(1), php(1), `node --help`, bash(1), dash(1),
lua(1), ld.so(8), https://learn.microsoft.com/dotnet/core/tools/dotnet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_PYTHON: Final = re.compile(rb"(python|pypy)[0-9.]*t?")
JAVA: Final = re.compile(rb"java")
BUSYBOX: Final = re.compile(rb"busybox(\.static)?")
# The dynamic linker, where it is told to run a program, and its options with a value (ld.so(8)).
LOADER: Final = re.compile(rb"ld(-linux[\w.-]*|-musl[\w.-]*|64)?\.so(\.[0-9]+)*")
LOADER_WITH_VALUE: Final = frozenset(
    (
        *(b"--library-path", b"--inhibit-rpath", b"--audit", b"--preload", b"--argv0"),
        *(b"--glibc-hwcaps-prepend", b"--glibc-hwcaps-mask"),
    )
)
# Erlang, whose arguments name what it runs in too many ways.
_ERLANG: Final = re.compile(rb"beam(\.smp)?")


@dataclass(frozen=True, slots=True)
class Options:
    """How an interpreter reads its arguments.

    Of options of one letter, which may stand together, `valued` take the rest of the argument or else the
    next one, `detached` always the next one, and `joined` the rest alone. `naming` ones do as `valued`, and
    their value is what runs. After those in `code` there is no script.

    Of others, `valued_names` take the next argument where they have no value after `=`, and `naming_names` as
    well, whose value is what runs. After those in `code_names`, and a lone dash unless `dash_is_option`,
    there is no script. `commands` are words before the script.
    """

    valued: bytes = b""
    detached: bytes = b""
    joined: bytes = b""
    naming: bytes = b""
    code: bytes = b""
    valued_names: frozenset[bytes] = frozenset()
    naming_names: frozenset[bytes] = frozenset()
    code_names: frozenset[bytes] = frozenset()
    commands: frozenset[bytes] = frozenset()
    dash_is_option: bool = False
    plus_is_option: bool = False


def _names(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


_OPTIONS: Final = (
    (_PYTHON, Options(valued=b"WX", naming=b"m", code=b"c", valued_names=_names("--check-hash-based-pycs"))),
    (
        re.compile(rb"ruby[0-9.]*|bundler?"),
        Options(
            valued=b"CEIXr",
            joined=b"FKTWix",
            code=b"e",
            valued_names=_names(
                "--encoding --external-encoding --internal-encoding --enable --disable --backtrace-limit"
            ),
        ),
    ),
    (re.compile(rb"perl[0-9.]*"), Options(valued=b"I", joined=b"CDFMVdimx", code=b"eE")),
    (
        re.compile(rb"php[0-9.]*"),
        Options(
            valued=b"Scdtz",
            naming=b"Ff",
            code=b"BERar",
            valued_names=_names("--php-ini --define --server --docroot --zend-extension"),
            naming_names=_names("--file --process-file"),
            # Behind two dashes are arguments of a script that is read from standard input.
            code_names=_names("--process-begin --process-code --process-end --run --interactive --"),
        ),
    ),
    (
        re.compile(rb"node(js)?[0-9.]*"),
        Options(
            valued=b"Cr",
            code=b"ep",
            valued_names=_names(
                "--require --import --loader --experimental-loader --conditions --env-file "
                "--env-file-if-exists --title --icu-data-dir --openssl-config --allow-fs-read "
                "--allow-fs-write --build-snapshot-config --cpu-prof-dir --cpu-prof-interval "
                "--cpu-prof-name --debug-port --diagnostic-dir --disable-proto --disable-warning "
                "--dns-result-order --experimental-config-file --experimental-default-type "
                "--experimental-policy --experimental-sea-config --heap-prof-dir --heap-prof-interval "
                "--heap-prof-name --heapsnapshot-near-heap-limit --heapsnapshot-signal --input-type "
                "--inspect-port --inspect-publish-uid --localstorage-file --max-http-header-size "
                "--network-family-autoselection-attempt-timeout --policy-integrity --redirect-warnings "
                "--report-dir --report-directory --report-filename --report-signal --secure-heap "
                "--secure-heap-min --snapshot-blob --stack-trace-limit --test-concurrency "
                "--test-isolation --test-name-pattern --test-reporter --test-reporter-destination "
                "--test-shard --test-skip-pattern --test-timeout --tls-cipher-list --tls-keylog "
                "--trace-event-categories --trace-event-file-pattern --trace-require-module "
                "--unhandled-rejections --use-largepages --v8-pool-size --watch-path"
            ),
            code_names=_names("--eval --print --run"),
            commands=_names("inspect debug"),
        ),
    ),
    (
        re.compile(rb"bun|deno"),
        Options(
            valued=b"c",
            code=b"ep",
            valued_names=_names(
                "--config --cwd --import-map --lock --preload --location --seed --cert --env-file"
            ),
            code_names=_names("eval repl task x --eval --print"),
            commands=_names("run serve"),
        ),
    ),
    (
        re.compile(rb"dotnet"),
        Options(
            valued_names=_names(
                "--additionalprobingpath --additional-deps --depsfile --fx-version --roll-forward"
                " --roll-forward-on-no-candidate-fx --runtimeconfig"
            ),
            commands=_names("exec"),
        ),
    ),
    (re.compile(rb"mono(-sgen)?"), Options(valued_names=_names("--config --llvm-path"))),
    (
        re.compile(rb"sh|bash|dash|ash|ksh|mksh|zsh"),
        Options(
            detached=b"oO",
            code=b"cs",
            valued_names=_names("--rcfile --init-file"),
            code_names=_names("--command"),
            dash_is_option=True,
            plus_is_option=True,
        ),
    ),
    (re.compile(rb"lua[0-9.]*|luajit"), Options(valued=b"ejl")),
    (re.compile(rb"tclsh[0-9.]*"), Options(valued_names=_names("-encoding"))),
    (re.compile(rb"guile[0-9.]*"), Options(valued=b"CLelx", naming=b"s", code=b"c")),
    (
        re.compile(rb"Rscript|R"),
        Options(naming=b"f", code=b"e", naming_names=_names("--file"), code_names=_names("--args")),
    ),
)


# One process may have thousands of sockets, and each asks for it.
@lru_cache(maxsize=1024)
def is_interpreter(name: bytes) -> bool:
    """Tell whether a program says nothing by its own name, since it runs others."""
    return options_of(name) is not None or any(
        each.fullmatch(name) for each in (JAVA, BUSYBOX, LOADER, _ERLANG)
    )


def options_of(interpreter: bytes) -> Options | None:
    """Return how an interpreter reads its options; None for those that read none in this way."""
    return next((options for pattern, options in _OPTIONS if pattern.fullmatch(interpreter)), None)
