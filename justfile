# Short names for the scripts; `just` itself is optional.

# every test, as CI runs them
ci:
    .ci/run

# install what the tests need
setup *parts:
    scripts/setup {{parts}}

# all tests, or some sections of them
test *sections:
    scripts/test {{sections}}

# what to run before a commit
check:
    cargo fmt --all
    cargo xtask generate
    cargo xtask layering
    cargo xtask tidy
    cargo clippy --workspace --all-targets -- -D warnings
    cargo nextest run --workspace

# plain client and undrop client side by side while links are cut
demo:
    cargo run --release -- demo

# fuzz targets, SECONDS each
fuzz seconds="60" *targets:
    scripts/fuzz --seconds {{seconds}} {{targets}}

# undrop beside nginx, HAProxy, Caddy and Envoy
compare *args:
    compare/gateway/run {{args}}
