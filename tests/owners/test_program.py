"""What a program is called."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.owners.program import MAX_NAME_BYTES, ProgramFacts, needs_arguments, program_name


def name(command: str, executable: str = "", arguments: str = "", unit: str = "") -> str:
    """Return the name of a program; the arguments are given with blanks between them."""
    facts = ProgramFacts(command.encode(), executable.encode(), arguments.encode().split(b" "), unit)
    return program_name(facts).decode()


@pytest.mark.parametrize("command", ["nginx", "redis-server", "a b", "perldoc", "javac", "myd [3 busy]"])
def test_a_command_name_that_is_whole_is_the_name(command: str) -> None:
    assert name(command, "/bin/other", "other /etc/other.conf", "other.service") == command
    assert not needs_arguments(command.encode())


@pytest.mark.parametrize(
    ("command", "title"),
    [("gunicorn: maste", "gunicorn"), ("postgres: 14", "postgres"), (": x", ": x"), ("a:b", "a:b")],
)
def test_a_title_is_cut_at_its_colon(command: str, title: str) -> None:
    assert name(command, "/usr/bin/python3", "x y") == title


@pytest.mark.parametrize(
    ("executable", "arguments", "expected"),
    [
        ("/opt/victoria-metrics-prod", "", "victoria-metrics-prod"),
        ("/opt/victoria-metrics-prod", "something else", "victoria-metrics-prod"),
        ("/opt/victoria-metrics-prod (deleted)", "", "victoria-metrics-prod"),
        ("", "./victoria-metrics-prod -x", "victoria-metrics-prod"),
        ("/usr/bin/python3.11", "/usr/bin/python3 /opt/victoria-metrics.py", "victoria-metrics.py"),
        # The kernel passes one option of a script's first line to the interpreter.
        ("/usr/bin/python3.11", "/usr/bin/python3 -sP /opt/victoria-metrics", "victoria-metrics"),
        ("/bin/bash", "/bin/bash -e /opt/victoria-metrics.sh", "victoria-metrics.sh"),
        # A name that the program gave itself.
        ("/usr/bin/other", "other", "victoria-metric"),
        ("/opt/victoria-metric" + "s" * 60, "", "victoria-metric"),
    ],
)
def test_a_name_that_was_cut_is_completed(executable: str, arguments: str, expected: str) -> None:
    assert name("victoria-metric", executable, arguments) == expected


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("python3", "python3 /srv/shop/app.py --password x", "app.py"),
        ("python3.11", "python3 -u -W ignore -X dev app.py", "app.py"),
        ("python3", "python3 -m http.server 8000", "http.server"),
        ("python3", "python3 -um http.server", "http.server"),
        ("python3", "python3 -c print(1) app.py", "python3"),
        ("python3", "python3 -m", "python3"),
        ("python3", "python3", "python3"),
        ("python3", "python3 -", "python3"),
        ("node", "node --require ./tracing.js --max-old-space-size=4096 server.js", "server.js"),
        ("node", "node --title x /app/index.js", "index.js"),
        ("node", "node --env-file-if-exists .env app.js", "app.js"),
        ("node", "node --tls-keylog keys --localstorage-file store app.js", "app.js"),
        ("node", "node --max-old-space-size-percentage 75 app.js", "app.js"),
        ("node", "node --es-module-specifier-resolution node app.js", "app.js"),
        ("node", "node --experimental-specifier-resolution node app.js", "app.js"),
        ("node", "node --watch-kill-signal SIGINT --security-revert CVE-x app.js", "app.js"),
        ("node", "node --test-coverage-lines 80 --test-global-setup setup.js app.js", "app.js"),
        ("node", "node --max_http_header_size 5000 --env_file=.env app.js", "app.js"),
        ("node", "node -e x y", "node"),
        ("ruby3.1", "ruby -I lib bin/rails server", "rails"),
        ("perl", "perl -w /usr/bin/spamd", "spamd"),
        ("php", "php -S 0.0.0.0:80 router.php", "router.php"),
        ("bash", "bash /opt/run.sh", "run.sh"),
        ("java", "java -Xmx1g -cp /a.jar:/b.jar com.acme.Main -p secret", "com.acme.Main"),
        ("java", "java -Dx=y -jar /opt/shop.jar --token t", "shop.jar"),
        ("java", "java @options -p mods -m shop/com.acme.Shop", "com.acme.Shop"),
        ("java", "java --module=shop/com.acme.Shop", "com.acme.Shop"),
        ("java", "java --module shop", "shop"),
        ("java", "java -jar", "java"),
        ("java", "java -jar -Xmx1g -Dtoken=secret /opt/shop.jar --token t", "shop.jar"),
        ("java", "java -jar -cp /secret /opt/shop.jar", "shop.jar"),
        ("java", "java -jar -Dtoken=secret", "java"),
        ("java", "java @options -jar secret", "java"),
        ("java", "java @options -jar /opt/shop.war", "shop.war"),
        ("java", "java @options secret.example.com", "java"),
        ("python3", "python3 /srv/shop/", "shop"),
        ("python3", "python3 /srv/shop/__main__.py secret", "shop"),
        ("python3", "python3 __main__.py secret", "__main__.py"),
        ("beam.smp", "beam.smp -W w -- -root /usr/lib/erlang -setcookie secret", "beam.smp"),
        ("ld.so", "ld.so --library-path /opt/lib --argv0 x /opt/shopd secret", "shopd"),
        ("ld-musl-x86.so.1", "ld-musl-x86.so.1 /usr/bin/python3 app.py secret", "app.py"),
        ("ld.so", "ld.so --list", "ld.so"),
        ("java", "java -version", "java"),
        ("java", f"java {'x' * 65}", "java"),
        ("java", "java @options secret", "java"),
        ("java", "java @options com.acme.Main secret", "com.acme.Main"),
        ("java", "java @options -jar /opt/shop.jar secret", "shop.jar"),
        ("java", "java --source 21 Main.java", "Main.java"),
        ("python3", "python3 -E app.py", "app.py"),
        ("python3", "python3 -Ic print(1) secret", "python3"),
        ("python3", "python3 -mhttp.server", "http.server"),
        ("python3", "python3 -XW app.py", "app.py"),
        ("python3", "python3 -- app.py", "app.py"),
        ("python3.14t", "python3 app.py", "app.py"),
        ("python2.7", "python2.7 -Q new app.py", "app.py"),
        ("pypy3", "pypy3 app.py", "app.py"),
        ("pypy3", "pypy3 --jit off app.py", "app.py"),
        ("node", "node .", "node"),
        ("node", "node ..", "node"),
        ("node", "node --eval=x secret", "node"),
        ("node", "node inspect app.js", "app.js"),
        ("node", "node --title=x app.js", "app.js"),
        ("ruby", "ruby -W app.rb", "app.rb"),
        ("ruby", "ruby -we x secret", "ruby"),
        ("ruby", "ruby -W0e x secret", "ruby"),
        ("ruby", "ruby -W:no-deprecated app.rb", "app.rb"),
        ("ruby", "ruby -KE app.rb secret", "app.rb"),
        ("ruby", "ruby -Kuw app.rb secret", "app.rb"),
        ("ruby", "ruby -Kue x secret", "ruby"),
        ("ruby", "ruby --parser prism app.rb", "app.rb"),
        ("ruby", "ruby --dump insns --crash-report log app.rb", "app.rb"),
        ("ruby", "ruby /usr/bin/bundle exec bin/puma -C secret", "puma"),
        ("ruby", "ruby /usr/bin/bundle install x", "bundle"),
        ("bundle", "ruby /usr/bin/bundle exec puma", "puma"),
        ("bundle", "ruby /usr/bin/bundle exec", "bundle"),
        ("perl", "perl -0777ne x secret", "perl"),
        ("perl", "perl -Ilib app.pl", "app.pl"),
        ("perl", "perl -de x secret", "perl"),
        ("perl", "perl -d:Trace app.pl", "app.pl"),
        ("perl", "perl -dt:Trace app.pl", "app.pl"),
        ("perl", "perl -d=Trace app.pl", "app.pl"),
        ("perl", "perl -0xFFne x secret", "perl"),
        ("perl", "perl -0xFE app.pl", "app.pl"),
        ("php", "php -r x secret", "php"),
        ("php", "php -fapp.php secret", "app.php"),
        ("php", "php --file=app.php secret", "app.php"),
        ("php", "php --run=x secret", "php"),
        ("php", "php -- secret", "php"),
        ("php", "php --repeat 2 app.php", "app.php"),
        ("php", "php -S 0.0.0.0:80", "php"),
        ("bash", "bash -e -o pipefail run.sh", "run.sh"),
        ("bash", "bash -eo pipefail run.sh", "run.sh"),
        ("bash", "bash +o pipefail run.sh", "run.sh"),
        ("bash", "bash - run.sh", "run.sh"),
        ("bash", "bash -c -x echo secret", "bash"),
        ("sh", "sh -s secret", "sh"),
        ("rbash", "rbash -O extglob run", "run"),
        ("zsh", "zsh --emulate ksh run secret", "run"),
        ("zsh", "zsh -O run secret", "run"),
        ("zsh", "zsh -oerrexit run secret", "run"),
        ("zsh", "zsh -eo errexit run secret", "run"),
        ("ksh93", "ksh93 -oerrexit -o errexit run secret", "run"),
        ("mksh", "mksh -ec secret", "mksh"),
        ("lua5.4", "lua -e x=1 -l socket app.lua", "app.lua"),
        ("luajit", "luajit app.lua", "app.lua"),
        ("luajit", "luajit -O+cse -j off app.lua secret", "app.lua"),
        ("tclsh8.6", "tclsh -encoding utf-8 app.tcl", "app.tcl"),
        ("guile3.0", "guile -L lib -s app.scm", "app.scm"),
        ("guile", "guile -c x secret", "guile"),
        ("guile", "guile -ds -e main -s app.scm secret", "app.scm"),
        ("guile-3.0", "guile-3.0 --language elisp app.el secret", "app.el"),
        ("guile", "guile -- secret", "guile"),
        ("R", "R --no-echo --no-restore --file=app.R --args secret", "app.R"),
        ("R", "R --no-echo --args secret", "R"),
        ("Rscript", "Rscript -e x secret", "Rscript"),
        ("R", "R -g Tk --encoding latin1 --max-ppsize 5000 -f app.R", "app.R"),
        ("deno", "deno run --allow-net --config x server.ts", "server.ts"),
        ("deno", "deno eval secret", "deno"),
        ("deno", "deno serve --watch --port 5050 --host ::1 server.ts", "server.ts"),
        ("deno", "deno run -A --env-file main.ts secret", "main.ts"),
        ("deno", "deno run --lock deno.lock main.ts secret", "main.ts"),
        ("deno", "deno run --lock --cert x main.ts secret", "main.ts"),
        ("deno", "deno -L debug run -R=/etc -N=abc main.ts secret", "main.ts"),
        ("deno", "deno run -RWc deno.json --ext ts main secret", "main"),
        ("deno", "deno run --preload x --require x --import x main.ts", "main.ts"),
        ("deno", "deno watch main.ts secret", "main.ts"),
        ("deno", "deno task secret", "deno"),
        ("deno", "deno run -A https://user:secret@a.example/app/main.ts?token=secret#secret", "main.ts"),
        ("deno", "deno run HTTPS://a.example/?key=secret", "deno"),
        ("deno", "deno run https://user:secret@a.example", "deno"),
        ("deno", "deno run file:///srv/app/main.ts", "main.ts"),
        ("deno", "deno run data:application/typescript;base64,secret/secret", "deno"),
        ("deno", "deno run Blob:a.example/secret", "deno"),
        ("deno", "deno run npm:cowsay@1.5.0/cowthink", "cowthink"),
        ("bun", "bun run server.ts", "server.ts"),
        ("bun", "bun --define K:secret server.ts", "server.ts"),
        ("bun", "bun -d K:secret -l .x:js -u http://x server.ts", "server.ts"),
        ("bun", "bun -r ./tracing.ts --require x --import x --preload x server.ts", "server.ts"),
        ("bun", "bun --port 3000 --title shop --user-agent shop server.ts", "server.ts"),
        ("bun", "bun -bF shop --tsconfig-override y --conditions y --install auto server.ts", "server.ts"),
        ("bun", "bun -c server.ts secret", "server.ts"),
        ("bun", "bun --config server.ts secret", "server.ts"),
        ("bun", "bun --inspect server.ts secret", "server.ts"),
        ("bun", "bun -c=x server.ts secret", "server.ts"),
        ("bun", "bun exec secret", "bun"),
        ("bun", "bun -e secret", "bun"),
        ("dotnet", "dotnet Shop.dll secret", "Shop.dll"),
        ("dotnet", "dotnet exec --depsfile x Shop.dll", "Shop.dll"),
        ("mono", "mono --config x shop.exe", "shop.exe"),
        ("mono-sgen", "mono --debug shop.exe", "shop.exe"),
        ("mono", "mono --statfile x --break x shop.exe", "shop.exe"),
        ("busybox", "busybox httpd -f -p 80", "httpd"),
        ("busybox", "busybox sh -e /opt/run.sh", "run.sh"),
        ("busybox", "/bin/httpd -f", "httpd"),
        ("busybox", "busybox sh -c secret", "sh"),
        ("busybox", "busybox", "busybox"),
    ],
)
def test_an_interpreter_is_named_by_what_it_runs(command: str, arguments: str, expected: str) -> None:
    assert name(command, f"/usr/bin/{command}", arguments) == expected
    assert needs_arguments(command.encode())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["puma 6.4.0 (tcp://0.0.0.0:80) [shop]"], "puma"),
        (["puma: cluster worker 0", "", ""], "puma"),
        (["/usr/bin/unicorn master -c x"], "unicorn"),
        # A name that exec was given, and one that a login shell has.
        (["ruby of mine"], "ruby"),
        (["node x y"], "ruby"),
        (["a title", "app.rb"], "app.rb"),
        ([], "ruby"),
        ([f"{'x' * 65} y"], "ruby"),
    ],
)
def test_a_title_over_the_arguments_gives_its_first_word(arguments: list[str], expected: str) -> None:
    facts = ProgramFacts(b"ruby", b"/usr/bin/ruby", [argument.encode() for argument in arguments])
    assert program_name(facts).decode() == expected


@pytest.mark.parametrize(
    ("command", "executable", "expected"),
    [
        ("next-server (v1", "/usr/bin/node", "next-server"),
        ("a program of min", "/opt/a program of mine", "a program of mine"),
    ],
)
def test_of_a_title_that_was_cut_the_rest_is_not_taken(command: str, executable: str, expected: str) -> None:
    """It may hold what the kernel has cut off for the arguments: a secret."""
    facts = ProgramFacts(command[:15].encode(), executable.encode(), [f"{command[:15]}secret".encode()])
    assert program_name(facts).decode() == expected


@pytest.mark.parametrize(
    "command", ["MainThread", "node-MainThread", "main", "Main", "exe", "9", "", " ", " " * 15]
)
def test_a_name_that_says_nothing_gives_way_to_what_runs(command: str) -> None:
    """That of a thread, of /proc/self/exe, of a descriptor (fexecve(3)), or none (PR_SET_NAME)."""
    assert name(command, "/usr/bin/node", "node /app/server.js") == "server.js"
    assert name(command, "/usr/bin/rootlessport (deleted)", "rootlessport --secret") == "rootlessport"
    assert name(command) == command.strip()


def test_a_script_that_was_started_by_its_descriptor_has_the_name_of_its_service() -> None:
    assert name("9", "/usr/bin/python3", "python3 /dev/fd/9", "shop.service") == "shop"
    assert name("9", "/usr/bin/python3", "python3 /proc/self/fd/9") == "python3"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("shop-gateway-server --api-key=sk-12345", "shop-gateway-server"),
        ("/opt/shop-gateway-server -k /x/shop-gateway-server-secret", "shop-gateway-server"),
        ("neutron-server: rpc worker (/usr/bin/neutron-server)", "neutron-server"),
    ],
)
@pytest.mark.parametrize("executable", ["/usr/bin/perl", ""])
def test_a_long_title_gives_its_first_word(title: str, expected: str, executable: str) -> None:
    """Some have no blank among the 15 bytes that the kernel keeps."""
    command = title.rpartition("/opt/")[2].encode()[:15]
    for arguments in ([title.encode()], [title.encode(), b"", b""]):
        assert program_name(ProgramFacts(command, executable.encode(), arguments)).decode() == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["shopd", "", ""], "shopd"),
        (["shopd"], "ruby"),
        (["ruby", ""], "ruby"),
        (["/usr/bin/ruby", ""], "ruby"),
    ],
)
def test_a_title_of_one_word_is_the_name(arguments: list[str], expected: str) -> None:
    facts = ProgramFacts(b"ruby", b"/usr/bin/ruby", [argument.encode() for argument in arguments])
    assert program_name(facts).decode() == expected


@pytest.mark.parametrize(
    ("executable", "arguments", "expected"),
    [
        ("/usr/bin/node", "node /app/server.js", "server.js"),
        ("/usr/bin/node", "node", "node"),
        ("/opt/shopd", "shopd -c x", "shopd"),
        ("", "", "MainThread"),
    ],
)
def test_a_thread_name_gives_way_to_the_executable(executable: str, arguments: str, expected: str) -> None:
    assert name("MainThread", executable, arguments) == expected


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("shop.service", "shop"),
        ("shop@2.service", "shop@2"),
        ("user@1000.service", "python3"),
        ("session-1.scope", "python3"),
        ("", "python3"),
    ],
)
def test_an_interpreter_that_names_nothing_is_named_by_its_service(unit: str, expected: str) -> None:
    assert name("python3", "/usr/bin/python3", "python3 -c x", unit) == expected
    assert name("python3", "/usr/bin/python3", "python3 app.py", unit) == "app.py"


@given(
    st.binary(max_size=15),
    st.binary(max_size=40),
    st.lists(st.binary(max_size=30) | st.sampled_from([b"-m", b"-jar", b"-c", b"-cp", b"java", b"x.py"])),
    st.sampled_from([b"java", b"python3", b"node", b"MainThread", b""]),
)
@example(b"", b"", [b"", b"x/"], b"java")
@example(b"", b"x/", [], b"MainThread")
def test_no_argument_but_a_name_is_shown(
    command: bytes, executable: bytes, arguments: list[bytes], interpreter: bytes
) -> None:
    """Whatever a process has for arguments, its name is short, and the last part of one of them at most."""
    found = program_name(ProgramFacts(interpreter or command, executable, arguments))
    assert len(found) <= max(MAX_NAME_BYTES, len(executable))
    shown = interpreter or command
    of_files = {
        part.rstrip(b"/").rpartition(b"/")[2] for part in (executable.removesuffix(b" (deleted)"), shown)
    }
    first_words = {part.lstrip(b" ").split(b" ")[0] for part in (shown, *arguments[:1])}
    titles = {
        shown.partition(b": ")[0],
        *(word.rpartition(b"/")[2].removesuffix(b":") for word in first_words),
    }
    # The last part of an argument, which may be a folder, or of the value in one.
    last_parts = (part.rstrip(b"/") for part in arguments)
    assert found in of_files | titles | first_words or any(part.endswith(found) for part in last_parts)


def test_the_dynamic_linker_is_named_by_what_it_runs_also_where_its_name_is_cut() -> None:
    linker = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    assert name("ld-linux-x86-64", linker, f"{linker} --preload x ./shopd secret") == "shopd"


def test_erlang_is_named_by_its_unit() -> None:
    assert name("beam.smp", "/bin/beam.smp", "beam.smp -x", "rabbitmq.service") == "rabbitmq"


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("node /srv/shop/", ["node /srv/shop/app.js", "", ""], "app.js"),
        ("node /srv/a.js", ["node /srv/a.js"], "a.js"),
        ("node /srv/shop/", ["node /srv/shop/app.js secret"], "app.js"),
        ("python3 /srv/sh", ["python3 -Ic secret /srv/x"], "python3"),
        ("node secret", ["node secret"], "node"),
        ("node --secret x", ["node --secret x"], "node"),
        # The title was too long for the arguments, or nothing may be read.
        ("node /srv/a.js", [], "a.js"),
        ("node /srv/a.js", ["node", "secret"], "a.js"),
        ("node: /srv/shop", ["node: /srv/shop/app.js", ""], "app.js"),
        ("java: secret", ["java: secret"], "java"),
    ],
)
def test_a_title_of_an_interpreter_with_a_path_names_what_it_runs(
    command: str, arguments: list[str], expected: str
) -> None:
    facts = ProgramFacts(command.encode(), b"/usr/bin/node", [each.encode() for each in arguments])
    assert needs_arguments(command.encode())
    assert program_name(facts) == expected.encode()
