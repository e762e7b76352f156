"""How the runtimes of JavaScript read their options.

Known from src/node_options.cc of Node.js 12 to 26, src/cli/Arguments.zig of Bun and cli/args/flags.rs of
Deno, and tried with Node.js 18, 20 and 26, Bun 1.4 and Deno 2.9.
"""

from __future__ import annotations

from typing import Final

from exporter.owners.interpreter_options import Options, names

NODE: Final = Options(
    valued=b"Cr",
    code=b"ep",
    valued_names=names(
        "--allow-fs-read --allow-fs-write --bench-isolation --bench-name-pattern "
        "--bench-reporter --bench-reporter-destination --bench-samples --bench-warmup "
        "--build-sea --build-snapshot-config --conditions --config-file --cpu-prof-dir "
        "--cpu-prof-interval --cpu-prof-name --debug-port --diagnostic-dir --disable-proto "
        "--disable-warning --dns-result-order --env-file --env-file-if-exists "
        "--es-module-specifier-resolution --experimental-config-file "
        "--experimental-default-type --experimental-loader --experimental-package-map "
        "--experimental-policy --experimental-sea-config --experimental-specifier-resolution "
        "--experimental-test-isolation --experimental-test-tag-filter --heap-prof-dir "
        "--heap-prof-interval --heap-prof-name --heapsnapshot-near-heap-limit "
        "--heapsnapshot-signal --http-server-default-timeout --icu-data-dir --import "
        "--input-type --inspect-port --inspect-publish-uid --loader --localstorage-file "
        "--max-http-header-size --max-old-space-size-percentage "
        "--network-family-autoselection-attempt-timeout --openssl-config --policy-integrity "
        "--process-timeout --redirect-warnings --report-dir --report-directory "
        "--report-filename --report-signal --require --secure-heap --secure-heap-min "
        "--security-revert --security-reverts --snapshot-blob --stack-trace-limit "
        "--test-concurrency --test-coverage-branches --test-coverage-exclude "
        "--test-coverage-functions --test-coverage-include --test-coverage-lines "
        "--test-global-setup --test-isolation --test-name-pattern --test-random-seed "
        "--test-reporter --test-reporter-destination --test-rerun-failures --test-shard "
        "--test-skip-pattern --test-timeout --title --tls-cipher-list --tls-keylog "
        "--trace-event-categories --trace-event-file-pattern --trace-require-module "
        "--unhandled-rejections --use-largepages --v8-pool-size --vfs-load "
        "--watch-kill-signal --watch-path"
    ),
    code_names=names("--eval --print --run"),
    commands=names("inspect debug"),
    underscore_is_dash=True,
)

BUN: Final = Options(
    valued=b"dFlru",
    # -c, --config and --inspect take a value in the same argument alone.
    joined=b"c",
    code=b"ep",
    valued_names=names(
        "--conditions --console-depth --cpu-prof-dir --cpu-prof-interval --cpu-prof-name "
        "--cron-period --cron-title --cwd --define --disable-warning --dns-result-order "
        "--drop --elide-lines --env-file --extension-order --feature --fetch-preconnect "
        "--filter --heap-prof-dir --heap-prof-interval --heap-prof-name --import --install "
        "--jsx-factory --jsx-fragment --jsx-import-source --jsx-runtime --loader "
        "--main-fields --max-http-header-size --origin --port --preload --redirect-warnings "
        "--require --shell --title --tsconfig-override --unhandled-rejections --user-agent "
        "--watch-kill-signal"
    ),
    code_names=names("exec repl x --eval --print"),
    commands=names("run"),
)

DENO: Final = Options(
    valued=b"cL",
    # What is allowed stands behind an equals sign (-R=/etc).
    joined=b"=",
    valued_names=names(
        "--cert --conditions --config --cpu-prof-dir --cpu-prof-interval --cpu-prof-name "
        "--ext --host --import --import-map --importmap --inspect-publish-uid --location "
        "--lock --log-level --min-dep-age --minimum-dependency-age --node-modules-linker "
        "--port --preload --require --seed"
    ),
    code_names=names("eval repl task x"),
    commands=names("run serve watch"),
)
