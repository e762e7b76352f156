"""Which programs are interpreters, and how each reads its options.

Known from their manuals and sources, and tried as far as Debian has them: python3(1), ruby(1) and ruby.c,
perlrun(1), php(1), bash(1), dash(1), zsh(1), ksh93(1), mksh(1), lua(1), luajit(1), guile(1), ld.so(8),
CommandLineArgs.c of R, driver.c of Mono, command_line.cpp of .NET.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from exporter.owners.interpreter_options import Options, names
from exporter.owners.javascript_options import BUN, DENO, NODE

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


_OPTIONS: Final = (
    (
        _PYTHON,
        Options(
            valued=b"QWX",
            naming=b"m",
            code=b"c",
            # `--jit` is that of PyPy, and `-Q` that of Python 2.
            valued_names=names("--check-hash-based-pycs --jit"),
        ),
    ),
    (
        re.compile(rb"ruby[0-9.]*|bundler?"),
        Options(
            valued=b"CEIXr",
            # The colon is that of -W:no-deprecated.
            joined=b":Fix",
            short_values=re.compile(rb"K."),
            code=b"e",
            valued_names=names(
                "--encoding --external-encoding --internal-encoding --source-encoding --enable --disable "
                "--backtrace-limit --parser --dump --crash-report"
            ),
        ),
    ),
    (
        re.compile(rb"perl[0-9.]*"),
        # The colon and the equals sign are those of -d:Module and -dt=Module.
        Options(valued=b"I", joined=b":=CDFMVimx", short_values=re.compile(rb"0x[0-9A-Fa-f]+"), code=b"eE"),
    ),
    (
        re.compile(rb"php[0-9.]*"),
        Options(
            valued=b"Scdtz",
            naming=b"Ff",
            code=b"BERar",
            valued_names=names("--php-ini --define --server --docroot --zend-extension --repeat"),
            naming_names=names("--file --process-file"),
            # Behind two dashes are arguments of a script that is read from standard input.
            code_names=names("--process-begin --process-code --process-end --run --interactive --"),
        ),
    ),
    (re.compile(rb"node(js)?[0-9.]*"), NODE),
    (re.compile(rb"bun"), BUN),
    (re.compile(rb"deno"), DENO),
    (
        re.compile(rb"dotnet"),
        Options(
            valued_names=names(
                "--additionalprobingpath --additional-deps --depsfile --fx-version --roll-forward"
                " --roll-forward-on-no-candidate-fx --runtimeconfig"
            ),
            commands=names("exec"),
        ),
    ),
    (
        re.compile(rb"mono(-sgen)?"),
        Options(valued_names=names("--break --compile --config --graph --llvm-path --ncompile --statfile")),
    ),
    (
        re.compile(rb"sh|r?bash|dash|ash"),
        Options(
            detached=b"oO",
            code=b"cs",
            valued_names=names("--rcfile --init-file"),
            code_names=names("--command"),
            dash_is_option=True,
            plus_is_option=True,
        ),
    ),
    (
        # Here a value may stand in the same argument (-oerrexit).
        re.compile(rb"r?ksh(93)?|[lm]ksh|r?zsh"),
        Options(
            valued=b"o",
            code=b"cs",
            valued_names=names("--emulate"),
            dash_is_option=True,
            plus_is_option=True,
        ),
    ),
    (re.compile(rb"lua[0-9.]*|luajit"), Options(valued=b"ejl", joined=b"O")),
    (re.compile(rb"tclsh[0-9.]*"), Options(valued_names=names("-encoding"))),
    (
        re.compile(rb"guile-?[0-9.]*"),
        Options(
            valued=b"CLelx",
            naming=b"s",
            code=b"c",
            valued_names=names("--language"),
            code_names=names("--"),
            commands=names("-ds"),
        ),
    ),
    (
        re.compile(rb"Rscript|R"),
        Options(
            valued=b"g",
            naming=b"f",
            code=b"e",
            valued_names=names(
                "--arch --debugger --encoding --gui --max-nsize --max-ppsize --max-vsize --min-nsize "
                "--min-vsize"
            ),
            naming_names=names("--file"),
            code_names=names("--args"),
        ),
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
