#!/usr/bin/env python3
"""Measures the daemon against its floors and peers, interleaved (ours, peer, ours, peer ...), and prints ratios.

Only ratios taken in one run count: the machine's speed drifts. Every figure is the median of the rounds with the smallest
and the largest beside it. Latency is taken at one connection, throughput by a closed loop of 16 connections (wrk).

    bench.py [--rounds 5] [--seconds 3] [--write docs/performance.md] [GOAL ...]

Expects release builds of sld, sl-js-host and the example `floor` in target/release, wrk and PostgreSQL on the machine.
Peers are taken from $PEERS (default ~/.cache/peers) where they are; what is not there is said and left out.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
PEERS = Path(os.environ.get("PEERS", Path.home() / ".cache/peers"))
TOKEN = "bench-operator-token-0123456789abcdef"
CLOCK = os.sysconf("SC_CLK_TCK")

TRIVIAL = "export default (params) => ({ sum: params.a + params.b });"
FIB = "(p) => { function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); } return fib(24); }"
FEED = """(p) => {
  const rows = JSON.parse(p.body), out = [];
  for (let k = 0; k < rows.length; k++) {
    const v = rows[k].px.slice().sort((a, b) => a - b), m = v[v.length >> 1];
    out.push({ id: rows[k].id, price: m.toFixed(4), dev: Math.abs(m - v[0]) / m });
  }
  return JSON.stringify(out).length;
}"""


class Server:
    """A process that listens; ends with the block."""

    def __init__(self, name, command, port, env=None):
        self.name, self.port = name, port
        self.log = tempfile.NamedTemporaryFile(prefix=f"bench-{name}-", suffix=".log", delete=False)
        started = time.monotonic()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env={**os.environ, **(env or {})})
        while True:
            if self.process.poll() is not None:
                sys.exit(f"{name} ended at once; see {self.log.name}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.005)
        self.ready_after = time.monotonic() - started

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def family(self):
        """The process and its descendants."""
        children = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        found, open_ = [], [self.process.pid]
        while open_:
            pid = open_.pop()
            found.append(pid)
            open_ += children.get(pid, [])
        return found

    def cpu(self):
        """CPU seconds of the family so far."""
        total = 0
        for pid in self.family():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            total += sum(int(fields[i]) for i in (11, 12, 13, 14))
        return total / CLOCK

    def resident(self):
        """Resident MiB: of the process alone, and of each descendant."""
        sizes = []
        for pid in self.family():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            sizes.append(int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024)
        return sizes


class Api:
    """A client on one kept connection."""

    def __init__(self, port, token=TOKEN):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.token = token

    def call(self, method, path, body=None):
        payload = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.token}"}
        if payload is not None:
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, payload, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text else None

    def account(self):
        return self.call("POST", "/accounts", {"owner": "bench"})["id"]

    def function(self, account, name, source, **more):
        made = self.call("POST", f"/accounts/{account}/functions", {"name": name, "source": source, **more})
        return f"/accounts/{account}/functions/{made['id']}/execute"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def sld(dsn=None, *, port=None):
    """The daemon, its rate limits out of the way of the load generator."""
    port = port or free_port()
    settings = [text for name, value in WIDE.items() for text in ("--set", f"{name}={value}")]
    command = [str(RELEASE / "sld"), "serve" if dsn else "dev", "--listen", f"127.0.0.1:{port}", *settings]
    env = {"API_TOKENS": f"bench:{TOKEN}", "SERVICE_LAYER_LOG_LEVEL": "warn"}
    if dsn:
        env |= {"DATABASE_URL": dsn, "SECRET_ENCRYPTION_KEY": "0123456789abcdef" * 4}
    return Server("sld", command, port, env)


WIDE = {"http.token_rate": 1_000_000, "http.account_rate": 1_000_000}


def script(method, bodies, token=TOKEN):
    """A wrk script that sends one of the requests at a time, in turn: pairs of path and body."""
    lines = [f'wrk.headers["Authorization"] = "Bearer {token}"', 'wrk.headers["Content-Type"] = "application/json"']
    lines.append("local requests = {}")
    for path, body in bodies:
        text = "nil" if body is None else json.dumps(body)
        lines.append(f'requests[#requests + 1] = {{ "{path}", {text} }}')
    lines.append("local at = math.random(#requests)")
    lines.append("request = function()")
    lines.append("  at = at % #requests + 1")
    lines.append(f'  return wrk.format("{method}", requests[at][1], nil, requests[at][2])')
    lines.append("end")
    file = tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False)
    file.write("\n".join(lines))
    file.close()
    return file.name


def wrk(port, lua, connections, seconds):
    """Requests a second, p50 and p99 in milliseconds; answers that are no success end the run."""
    command = [shutil.which("wrk") or str(PEERS / "deb/root/usr/bin/wrk"), "-t1", f"-c{connections}", f"-d{seconds}s"]
    env = {**os.environ, "LD_LIBRARY_PATH": str(PEERS / "deb/root/usr/lib/x86_64-linux-gnu")}
    text = subprocess.run([*command, "--latency", "-s", lua, f"http://127.0.0.1:{port}"], env=env, check=True,
                          capture_output=True, text=True).stdout
    if "Non-2xx" in text:
        sys.exit(f"answers that are no success:\n{text}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    quantile = {}
    for percent, number, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", text):
        quantile[percent] = float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return rate, quantile["50"], quantile["99"]


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


class Table:
    """What was measured: rows of goal, what, must, ratio and the figures behind it."""

    def __init__(self):
        self.rows = []

    def ratio(self, goal, what, must, pairs, unit, at_most=True):
        ratios = [ours / peer for ours, peer in pairs]
        median = statistics.median(ratios)
        held = "n/a" if must is None else ("yes" if (median <= must if at_most else median >= must) else "NO")
        ours, peer = (statistics.median(side) for side in zip(*pairs))
        bound = "" if must is None else f"{'<=' if at_most else '>='} {must}"
        self.rows.append((goal, what, bound, spread(ratios), held, f"{ours:.4g} / {peer:.4g} {unit}"))
        print(f"  {what}: {spread(ratios)} must {bound}  {held}  [{ours:.4g} / {peer:.4g} {unit}]", flush=True)

    def figure(self, goal, what, must, values, unit):
        median = statistics.median(values)
        held = "n/a" if must is None else ("yes" if median <= must else "NO")
        bound = "" if must is None else f"<= {must}"
        self.rows.append((goal, what, bound, spread(values), held, unit))
        print(f"  {what}: {spread(values)} {unit} must {bound}  {held}", flush=True)

    def markdown(self):
        lines = ["| Goal | What | Must | Median (min to max) | Held | Ours / theirs |", "| --- | --- | --- | --- | --- | --- |"]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines)


class Bench:
    def __init__(self, rounds, seconds):
        self.rounds, self.seconds, self.table = rounds, seconds, Table()

    def interleaved(self, *sides):
        """Each side in turn, round after round; a list of tuples."""
        return [tuple(side() for side in sides) for _ in range(self.rounds)]

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
            fresh = script("POST", [(api.function(account, "trivial", TRIVIAL), '{"a":1,"b":2}')])
            kept = script("POST", [(api.function(account, "kept", TRIVIAL, keep_context=True), '{"a":1,"b":2}')])
            post = script("POST", [("/memory", '{"owner":"o"}')])
            wrk(ours.port, fresh, 16, 1)
            bare_call = host_call_ms()
            pairs = self.interleaved(
                lambda: wrk(ours.port, fresh, 1, self.seconds)[1] - bare_call,
                lambda: wrk(bare.port, post, 1, self.seconds)[1],
            )
            self.table.ratio("1", "overhead of execute p50 / bare POST p50, in memory", 5, pairs, "ms")
            pairs = self.interleaved(
                lambda: rate_and_cpu(ours, fresh, self.seconds), lambda: rate_and_cpu(bare, post, self.seconds))
            self.table.ratio("1", "CPU of execute / bare POST", None, [(a[1], b[1]) for a, b in pairs], "ms")
            worker = workerd()
            if worker:
                with worker:
                    lua = script("POST", [("/f", '{"a":1,"b":2}')])
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
            lua = script("POST", [(api.function(api.account(), "trivial", TRIVIAL), '{"a":1,"b":2}')])
            insert = script("POST", [("/item", '{"owner":"o"}')])
            wrk(ours.port, lua, 16, 1)
            pairs = self.interleaved(
                lambda: wrk(ours.port, lua, 1, self.seconds)[1], lambda: wrk(bare.port, insert, 1, self.seconds)[1])
            self.table.ratio("1", "execute p50 / bare INSERT p50, PostgreSQL", 2, pairs, "ms")

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
            fib, feed = api.function(account, "fib", FIB), api.function(account, "feed", FEED)

            def cpu_ms(path, params):
                cost = [duration_ms(api.call("POST", path, params)["cpu_time"]) for _ in range(60)]
                return statistics.median(cost)

            for name, call, must in (("fib", lambda: cpu_ms(fib, {}), 20), ("feed", lambda: cpu_ms(feed, {"body": body}), 5)):
                pairs = self.interleaved(lambda name=name: goja_ms(binary, name), call)
                self.table.ratio("4", f"goja's time / ours, {name}", must, pairs, "ms", False)

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


def rate_and_cpu(server, lua, seconds):
    before = server.cpu()
    rate = wrk(server.port, lua, 16, seconds)[0]
    return rate, (server.cpu() - before) * 1000 / (rate * seconds)


def load(port, lua, seconds):
    """A load that runs beside the block and ends with it."""
    binary = shutil.which("wrk") or str(PEERS / "deb/root/usr/bin/wrk")
    env = {**os.environ, "LD_LIBRARY_PATH": str(PEERS / "deb/root/usr/lib/x86_64-linux-gnu")}
    return subprocess.Popen([binary, "-t1", "-c4", f"-d{seconds}s", "--timeout", "10s", "-s", lua, f"http://127.0.0.1:{port}"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)


def duration_ms(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|µs|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "µs": 0.001, "ms": 1, "s": 1000}[unit]


def host_call_ms():
    """The same call in a bare V8 loop, in milliseconds."""
    loop = """const f = (0, eval)("((params) => ({ sum: params.a + params.b }))"), turns = 1e6, text = '{"a":1,"b":2}';
        let kept = 0;
        const turn = () => { for (let i = 0; i < turns; i++) kept += JSON.stringify(f(JSON.parse(text))).length; };
        turn();
        const began = process.hrtime.bigint();
        turn();
        console.log(Number(process.hrtime.bigint() - began) / turns / 1e6);"""
    return float(subprocess.run(["node", "-e", loop], check=True, capture_output=True, text=True).stdout)


def goja_ms(binary, name):
    text = subprocess.run([binary, PEERS_DIR / "goja/work.js"], capture_output=True, text=True, check=True).stdout
    number = re.search(rf"warm {name}\S*: ([\d.]+) us", text)
    return float(number.group(1)) / 1000


PEERS_DIR = Path(os.environ.get("SERVICE_LAYER_PEERS_DIR", ROOT.parent / "shared/bench/peers"))


def timed(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    started = time.perf_counter()
    connection.request("GET", path)
    connection.getresponse().read()
    return (time.perf_counter() - started) * 1000


def floor(dsn=None):
    port = free_port()
    command = [str(RELEASE / "examples/floor"), f"127.0.0.1:{port}"]
    return Server("floor", command + ([dsn] if dsn else []), port)


def workerd():
    binary, config = PEERS / "npm/node_modules/.bin/workerd", PEERS_DIR / "workerd/config.capnp"
    if not binary.exists() or not config.exists():
        print("  workerd is not here; left out")
        return None
    return Server("workerd", [str(binary), "serve", "--experimental", str(config)], 18081)


class Postgres:
    """A server of our own, durable as its users' are (fsync on)."""

    def __enter__(self):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        self.bin = found[-1] if found else Path(shutil.which("initdb")).resolve().parent
        self.home = Path(tempfile.mkdtemp(prefix="bench-postgres-"))
        self.port = free_port()
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(self.home, "postgres", "postgres")
        self.run("initdb", "-D", str(self.home / "data"), "-U", "postgres", "-A", "trust")
        options = f"-p {self.port} -k {self.home} -c listen_addresses=127.0.0.1 -c max_connections=200"
        self.run("pg_ctl", "-D", str(self.home / "data"), "-l", str(self.home / "log"), "-o", options, "-w", "start")
        return self

    def run(self, program, *arguments):
        subprocess.run([*self.user, str(self.bin / program), *arguments], check=True, stdout=subprocess.DEVNULL)

    def fresh(self, name):
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def __exit__(self, *_):
        self.run("pg_ctl", "-D", str(self.home / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.home, ignore_errors=True)


GOALS = ["start", "execute", "execute_postgres", "cold", "goja", "crud", "neighbour"]
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
