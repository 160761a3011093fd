#!/usr/bin/env python3
"""Measures the daemon against its floors and peers, interleaved (ours, peer, ours, peer ...), and prints ratios.

Only ratios taken in one run count: the machine's speed drifts. Every figure is the median of the rounds with the smallest
and the largest beside it. Latency is taken at a fixed rate, two fifths of the slower side's peak (h2load), throughput by a
closed loop of 16 connections (wrk).

    bench.py [--rounds 5] [--seconds 3] [--write docs/performance.md] [GOAL ...]

Expects release builds of sld, sl-js-host and the example `floor` in target/release, wrk, h2load and PostgreSQL on the machine.
Peers are taken from $PEERS (default ~/.cache/peers) where they are; what is not there is said and left out.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from kit import (
    Api,
    FEED,
    FIB,
    PEERS,
    PeersPostgres,
    Postgres,
    TRIVIAL,
    Table,
    duration_ms,
    floor,
    goja_ms,
    host_call_ms,
    load,
    paced,
    peer_figure,
    rate_and_cpu,
    script,
    sld,
    timed,
    workerd,
    wrk,
)

PARAMS, OWNER = '{"a":1,"b":2}', '{"owner":"o"}'


def medians(pairs):
    """Of pairs of (p50, p99) the p50 of both sides."""
    return [(mine[0], theirs[0]) for mine, theirs in pairs]


class Bench:
    def __init__(self, rounds, seconds):
        self.rounds, self.seconds, self.table = rounds, seconds, Table()

    def interleaved(self, *sides):
        """Each side in turn, round after round; a list of tuples."""
        return [tuple(side() for side in sides) for _ in range(self.rounds)]

    def pace(self, *sides):
        """Two fifths of the slower side's peak, in requests a second."""
        return 0.4 * min(wrk(server.port, lua, 16, self.seconds)[0] for server, lua in sides)

    def start(self):
        """Daemon ready, and resident before the first function."""
        ready, resident = [], []
        for _ in range(self.rounds):
            with sld() as daemon:
                ready.append(daemon.ready_after)
                time.sleep(0.5)
                resident.append(daemon.resident()[0])
        self.table.figure("start", "daemon ready in memory", 1.0, ready, "s")
        self.table.figure("start", "resident before the first function", 80, resident, "MiB")

    def execute(self):
        """Goals 1 and 2 in memory: a trivial function against bare actix and workerd."""
        with sld() as ours, floor() as bare:
            api = Api(ours.port)
            account = api.account()
            trivial = api.function(account, "trivial", TRIVIAL)
            fresh = script("POST", [(trivial, PARAMS)])
            kept = script("POST", [(api.function(account, "kept", TRIVIAL, keep_context=True), PARAMS)])
            post = script("POST", [("/memory", OWNER)])
            bare_call, rate = host_call_ms(), self.pace((ours, fresh), (bare, post))
            pairs = self.interleaved(
                lambda: [part - bare_call for part in paced(ours.port, trivial, PARAMS, rate, self.seconds)],
                lambda: paced(bare.port, "/memory", OWNER, rate, self.seconds))
            self.table.ratio("1", "overhead of execute p50 / bare POST p50, in memory", 5, medians(pairs), "ms")
            self.table.figure("1", "overhead of execute p99, in memory", 10, [mine[1] for mine, _ in pairs], "ms")
            pairs = self.interleaved(
                lambda: rate_and_cpu(ours, fresh, self.seconds), lambda: rate_and_cpu(bare, post, self.seconds))
            self.table.ratio("1", "CPU of execute / bare POST", None, [(a[1], b[1]) for a, b in pairs], "ms")
            worker = workerd()
            if worker:
                with worker:
                    lua = script("POST", [("/f", PARAMS)])
                    runs = self.interleaved(
                        lambda: wrk(ours.port, fresh, 16, self.seconds)[0],
                        lambda: wrk(ours.port, kept, 16, self.seconds)[0],
                        lambda: wrk(worker.port, lua, 16, self.seconds)[0],
                    )
                self.table.ratio("2", "executes/s, fresh context / workerd", 0.3, [(a, c) for a, _, c in runs], "per s", False)
                self.table.ratio("2", "executes/s, kept context / workerd", 1, [(b, c) for _, b, c in runs], "per s", False)

    def execute_postgres(self):
        """Goal 1 on PostgreSQL: a trivial function against a bare INSERT."""
        with Postgres() as database, sld(database.fresh("ours")) as ours, floor(database.fresh("floor")) as bare:
            api = Api(ours.port)
            trivial = api.function(api.account(), "trivial", TRIVIAL)
            rate = self.pace((ours, script("POST", [(trivial, PARAMS)])), (bare, script("POST", [("/item", OWNER)])))
            pairs = self.interleaved(
                lambda: paced(ours.port, trivial, PARAMS, rate, self.seconds),
                lambda: paced(bare.port, "/item", OWNER, rate, self.seconds))
            self.table.ratio("1", "execute p50 / bare INSERT p50, PostgreSQL", 2, medians(pairs), "ms")
            self.table.figure("1", "execute p99, PostgreSQL", None, [mine[1] for mine, _ in pairs], "ms")

    def cold(self):
        """Goal 3: the first call of a new tenant's function, from a warm pool."""
        with sld() as ours:
            api = Api(ours.port)
            times = []
            for _ in range(40 * self.rounds):
                path = api.function(api.account(), "cold", TRIVIAL)
                started = time.perf_counter()
                api.call("POST", path, {"a": 1, "b": 2})
                times.append((time.perf_counter() - started) * 1000)
                time.sleep(0.03)
            hosts = ours.resident()[1:]
        times.sort()
        self.table.figure("3", "cold start of an account's first run, p50", None, [times[len(times) // 2]], "ms")
        self.table.figure("3", "cold start of an account's first run, p99", 150, [times[int(len(times) * 0.99)]], "ms")
        self.table.figure("3", "resident memory of a tenant's host", None, hosts, "MiB")
        worker = workerd()
        if worker:
            with worker:
                nets = []
                for turn in range(self.rounds):
                    warm = timed(worker.port, "/warm?n=40")
                    nets.append((timed(worker.port, f"/cold?n=40&base={turn}-{time.time()}") - warm) / 40)
            median = times[len(times) // 2]
            self.table.ratio("3", "cold first call p50 / workerd's loader", 1.5, [(median, net) for net in nets], "ms")

    def goja(self):
        """Goal 4: against the engine of the system this replaces."""
        binary = PEERS / "goja/goja-bench"
        if not binary.exists():
            print("  goja is not here; left out")
            return
        with sld() as ours:
            api = Api(ours.port)
            account = api.account()
            body = json.dumps([{"id": i, "px": [((i * 37 + k * 101) % 97) + 0.5 for k in range(9)]} for i in range(50)])
            # Goja keeps its runtime from call to call here, and what it compiled; so does a function that keeps its context.
            functions = {
                (name, kept): api.function(account, f"{name}-{kept}", source, keep_context=kept == "kept")
                for name, source in (("fib", FIB), ("feed", FEED)) for kept in ("kept", "fresh")
            }

            def cpu_ms(path, params):
                cost = [duration_ms(api.call("POST", path, params)["cpu_time"]) for _ in range(60)]
                return statistics.median(cost)

            for name, params, must in (("fib", {}, 20), ("feed", {"body": body}, 5)):
                for kept, bound in (("kept", must), ("fresh", None)):
                    path = functions[name, kept]
                    pairs = self.interleaved(
                        lambda name=name: goja_ms(binary, name),
                        lambda path=path, params=params: cpu_ms(path, params))
                    self.table.ratio("4", f"goja's time / ours, {name}, {kept} context", bound, pairs, "ms", False)

    def crud(self):
        """Goal 5: create and read through the whole stack against bare actix and tokio-postgres."""
        with Postgres() as database, sld(database.fresh("ours")) as ours, floor(database.fresh("floor")) as bare:
            api = Api(ours.port)
            accounts = [api.account() for _ in range(64)]
            create = script("POST", [("/accounts", '{"owner":"o"}')])
            read = script("GET", [(f"/accounts/{account}", None) for account in accounts])
            insert = script("POST", [("/item", '{"owner":"o"}')])
            select = script("GET", [(f"/item/{n}", None) for n in range(1, 65)])
            for name, mine, theirs, must in (("INSERT", create, insert, 0.7), ("GET", read, select, 0.5)):
                runs = self.interleaved(
                    lambda mine=mine: rate_and_cpu(ours, mine, self.seconds),
                    lambda theirs=theirs: rate_and_cpu(bare, theirs, self.seconds))
                self.table.ratio("5", f"{name}/s / bare", must, [(a[0], b[0]) for a, b in runs], "per s", False)
                self.table.ratio("5", f"CPU per {name} / bare", 2, [(a[1], b[1]) for a, b in runs], "ms")

    def neighbour(self):
        """Goal 11: another tenant's p99 while one loops or grows its heap."""
        with sld() as ours:
            api = Api(ours.port)
            quiet = script("POST", [(api.function(api.account(), "quiet", TRIVIAL), '{"a":1,"b":2}')])
            noisy_account = api.account()
            limits = {"limits": {"cpu": "200ms", "wall": "1s"}}
            loop = api.function(noisy_account, "loop", "() => { for (;;) {} }", **limits)
            heap = api.function(noisy_account, "heap", "() => { const a = []; for (;;) a.push(new Array(1000).fill(a.length)); }", **limits)
            wrk(ours.port, quiet, 1, 1)
            for name, path in (("looping", loop), ("growing its heap", heap)):
                lua = script("POST", [(path, "{}")])
                pairs = []
                for _ in range(self.rounds):
                    alone = wrk(ours.port, quiet, 1, self.seconds)[2]
                    with load(ours.port, lua, self.seconds + 1):
                        time.sleep(0.3)
                        beside = wrk(ours.port, quiet, 1, self.seconds)[2]
                    pairs.append((beside, alone))
                self.table.ratio("11", f"a neighbour's p99 with / without a tenant {name}", 3, pairs, "ms")
            late = []
            for _ in range(10 * self.rounds):
                late.append(duration_ms(api.call("POST", loop, {})["cpu_time"]) - 200)
            self.table.figure("11", "stop after the CPU limit", 20, late, "ms")

    def tenants(self):
        """Goal 10: what ten thousand tenants cost."""
        self.table.program("tenants", 10_000, self.rounds)

    def queue(self):
        """Goals 6, 7 and 12: the work queue beside the plainest claim, graphile-worker, and itself with four daemons."""
        self.table.program("queue", "throughput", 20_000, self.rounds)
        self.table.program("queue", "latency", "due", "writers", "daemons", 20_000, self.rounds)
        per_second, waits = r"(\d+) jobs/s incl", r"latency: p50 ([\d.]+) ms"
        with PeersPostgres():
            plain, batched, latency = [], [], []
            for _ in range(self.rounds):
                ours = self.table.program("queue", "throughput", "latency", 20_000, 1)
                peer = peer_figure("graphile-worker/run.sh", per_second, 5_000, 10)
                wait = peer_figure("graphile-worker/run.sh", waits, 500, 10)
                port = peer_figure("rust-queues/run.sh", r"graphile-batched c=10: \d+ jobs/s run, " + per_second, 20_000, 10)
                plain += [(ours["items"], peer)] if peer else []
                batched += [(ours["items"], port)] if port else []
                latency += [(ours["wait"], wait)] if wait else []
        if plain:
            self.table.ratio("6", "no-op items/s / graphile-worker", 3, plain, "per s", False)
        if batched:
            self.table.ratio("6", "no-op items/s / graphile_worker (Rust) batched", 0.5, batched, "per s", False)
        if latency:
            self.table.ratio("7", "added to started p50 / graphile-worker", 1, latency, "ms")

    def jobs(self):
        """Goal 9 and the lateness of slots."""
        self.table.program("jobs", 200_000, 100_000)

    def transfers(self):
        """The gas bank beside bare transactions."""
        self.table.program("transfers", self.rounds)


GOALS = ["start", "execute", "execute_postgres", "cold", "goja", "crud", "neighbour", "tenants", "queue", "jobs", "transfers"]
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def main():
    parser = argparse.ArgumentParser(description="Measures the daemon against its floors and peers.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--write", help="rewrite the measured part of this document")
    parser.add_argument("goals", nargs="*", choices=[*GOALS, []], default=[])
    options = parser.parse_args()
    bench = Bench(options.rounds, options.seconds)
    for goal in options.goals or GOALS:
        print(f"== {goal}", flush=True)
        getattr(bench, goal)()
    text = bench.table.markdown()
    print(f"\n{text}")
    if options.write:
        page = Path(options.write)
        before, _, rest = page.read_text().partition(BEGIN)
        page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
