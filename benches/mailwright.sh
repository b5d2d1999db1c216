#!/usr/bin/env bash
# Mailwright for the paired benchmark: default durability, logging and evidence in every mode.
# MAILWRIGHT: path of the binary.
set -eu
MAILWRIGHT=${MAILWRIGHT:?path of the mailwright binary}
conf=$BENCH_DIR/mailwright.toml
case "$1" in
start)
    if [ ! -e "$conf" ]; then
    case "$BENCH_MODE" in
    discard) next='default_route = "discard:"' ;;
    *) next="default_route = \"127.0.0.1:$BENCH_SINK_PORT\"" ;;
    esac
    cat > "$conf" <<CF
hostname = "mailwright.test"
data = "$BENCH_DIR/data"
$next

[[listener]]
address = "127.0.0.1:$BENCH_PORT"
role = "relay"
networks = ["127.0.0.0/8"]
tls = "none"

[limits]
connections_per_client_max = 0
connections_per_network_max = 0

[routes]
"stuck.test" = "$BENCH_STUCK_HOST:$BENCH_STUCK_PORT"
CF
    fi
    ulimit -n "$(ulimit -Hn)"
    exec "$MAILWRIGHT" serve --config "$conf"
    ;;
queue-len)
    "$MAILWRIGHT" status --json --config "$conf" | grep -Eo '"jobs": *[0-9]+' | grep -Eo '[0-9]+' ;;
queue-list)
    "$MAILWRIGHT" queue list --config "$conf" ;;
esac
