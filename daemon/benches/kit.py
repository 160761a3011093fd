"""What the measurements share: servers, clients, load, peers, and the table of what was measured."""

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
FIB = "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\nexport default () => fib(24);"
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
        env |= {"DATABASE_URL": dsn, "SECRET_ENCRYPTION_KEY": "6b1f0a3c9d5e7f2a4c8b6d0e1f3a5c7e9b2d4f6a8c0e1d3b5f7a9c2e4d6b8f01"}
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


GENERATORS = {**os.environ, "LD_LIBRARY_PATH": str(PEERS / "deb/root/usr/lib/x86_64-linux-gnu")}


def generator(name):
    """A load generator: the machine's own, or the one unpacked beside the peers; to be run in `GENERATORS`."""
    return shutil.which(name) or str(PEERS / "deb/root/usr/bin" / name)


def wrk(port, lua, connections, seconds):
    """Requests a second, p50 and p99 in milliseconds; answers that are no success end the run."""
    command = [generator("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", lua]
    text = subprocess.run([*command, f"http://127.0.0.1:{port}"], env=GENERATORS, check=True, capture_output=True,
                          text=True).stdout
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

    def program(self, name, *words):
        """Runs a measuring program of Rust: its rows join the table; answers the figures it names."""
        command = ["cargo", "bench", "--quiet", "--workspace", "--bench", name, "--", *map(str, words)]
        figures, running = {}, subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for line in running.stdout:
            if line.startswith("| "):
                self.rows.append(tuple(cell.strip() for cell in line.strip().strip("|").split(" | ")))
            elif line.startswith("= "):
                _, figure, value = line.split()
                figures[figure] = float(value)
            print(f"  {line.rstrip()}", flush=True)
        if running.wait() != 0:
            sys.exit(f"{' '.join(command)} failed")
        return figures

    def markdown(self):
        lines = ["| Goal | What | Must | Median (min to max) | Held | Ours / theirs |", "| --- | --- | --- | --- | --- | --- |"]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines)


def rate_and_cpu(server, lua, seconds):
    before = server.cpu()
    rate = wrk(server.port, lua, 16, seconds)[0]
    return rate, (server.cpu() - before) * 1000 / (rate * seconds)


def paced(port, path, body, rate, seconds):
    """p50 and p99 in milliseconds of POST at a fixed rate, evenly spaced over a hundred connections; an answer that is no
    success ends the run."""
    with tempfile.TemporaryDirectory() as folder:
        file, log = Path(folder, "body"), Path(folder, "log")
        file.write_text(body)
        # One connection after another begins, and each then asks once in as long as it takes all of them to begin.
        spacing = max(1, round(1000 / rate))
        subprocess.run([generator("h2load"), "--h1", "-t1", "-c100", "-r1", f"--rate-period={spacing}ms", f"--rps={10 / spacing:.3f}",
                        f"-n{100 * round(seconds * 10 / spacing)}", f"--data={file}",
                        f"--log-file={log}", "--header=content-type: application/json",
                        f"--header=authorization: Bearer {TOKEN}", f"http://127.0.0.1:{port}{path}"],
                       env=GENERATORS, check=True, stdout=subprocess.DEVNULL)
        answers = [line.split("\t") for line in log.read_text().splitlines()]
    failed = [status for _, status, _ in answers if not status.startswith("2")]
    if failed or not answers:
        sys.exit(f"{len(failed)} of {len(answers)} answers are no success: {failed[:3]}")
    quantiles = statistics.quantiles((int(micros) / 1000 for _, _, micros in answers), n=100)
    return quantiles[49], quantiles[98]


def load(port, lua, seconds):
    """A load that runs beside the block and ends with it."""
    return subprocess.Popen([generator("wrk"), "-t1", "-c4", f"-d{seconds}s", "--timeout", "10s", "-s", lua, f"http://127.0.0.1:{port}"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=GENERATORS)


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


def peer_figure(script, pattern, *words):
    """A figure that a peer's own driver prints; none where the peer is not here."""
    path = PEERS_DIR / script
    if not path.exists() or not (PEERS / "npm").exists():
        print(f"  {script} is not here; left out")
        return None
    text = subprocess.run(["bash", path, *map(str, words)], capture_output=True, text=True).stdout
    found = re.search(pattern, text)
    return float(found.group(1)) if found else None


class PeersPostgres:
    """The PostgreSQL server on which the peers run, as durable as ours."""

    def __enter__(self):
        subprocess.run(["bash", PEERS_DIR / "common/pg_start.sh"], stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        subprocess.run(["bash", PEERS_DIR / "common/pg_stop.sh"], stdout=subprocess.DEVNULL)
