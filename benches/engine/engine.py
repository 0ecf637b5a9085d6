#!/usr/bin/env python3
"""Measures the embedded engine, and DuckDB on the same events and the same query, in one run on one machine.

    engine.py --rwt target/release/rwt [--sizes 1000000,10000000] [--runs 5] [--memory-limit 12GB]
              [--directory DIR] [--output FILE.json]

For each size: a stack of the example project in a folder of its own and on free ports, events from `rwt produce` in the
topics, then the sources and the funnel. Measured are the rate at which the sources read, the funnel when it is read first,
again, and after each of some changes, the peak memory, the log, and a restart after a kill. DuckDB reads the same messages
from JSON lines into tables of its own and answers the same query; the answers are compared. Needs Python with
tests/python-requirements.txt. README.md says more.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOPICS = {
    "page_views": ("src_page", "page_id"),
    "cart_events": ("src_cart", "item_id"),
    "purchases": ("src_purchase", None),
}
# The funnel's history: so many events a minute, so that there are more windows with more events.
RATE = 1000
USERS = 5000
FUNNEL = "select window_start, viewers, carters, purchasers from funnel"


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class Stack:
    """A stack of the example project in a folder of its own."""

    def __init__(self, rwt, directory, memory_limit):
        self.rwt, self.project = rwt, directory / "project"
        self.data = directory / "data"
        for part in ["models", "macros"]:
            shutil.copytree(ROOT / part, self.project / part)
        shutil.copy(ROOT / "project.yml", self.project)
        self.port, kafka = free_port(), free_port()
        self.brokers = f"127.0.0.1:{kafka}"
        limit = {"memory_limit": memory_limit} if memory_limit else {}
        output = {"type": "embedded", "dbname": "dev", "schema": "public", "threads": 4, "port": self.port,
                  "kafka": {"local": self.brokers}, "stack": {"data_dir": str(self.data), **limit}}
        profile = {"funnel": {"target": "dev", "outputs": {"dev": output}}}
        (self.project / "profiles.yml").write_text(json.dumps(profile))

    def run(self, *arguments):
        command = [self.rwt, arguments[0], "--project-dir", self.project, *arguments[1:]]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def status(self):
        return json.loads(self.run("status", "--output", "json"))

    def connect(self):
        import psycopg
        return psycopg.connect(f"host=127.0.0.1 port={self.port} user=root dbname=dev", autocommit=True)

    def pid(self):
        return json.loads((self.data / "stack.json").read_text())["pid"]

    def memory(self, field):
        return kernel_memory(self.pid(), field)

    def log_bytes(self):
        total = 0
        for file in (self.data / "engine").glob("*.*"):
            try:
                total += file.stat().st_size
            except FileNotFoundError:
                pass  # compaction removes files
        return total


def kernel_memory(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def produce(stack, events, seed, ago):
    """Sends events with a history that began `ago` seconds before now."""
    began = time.perf_counter()
    stack.run("produce", "--rate", str(RATE), "--events", str(events), "--users", str(USERS), "--seed", str(seed),
              "--start", f"{ago}s")
    return time.perf_counter() - began


def ingest(stack, connection, events, patience=1800):
    """Waits until the sources have read so many events; the most bytes that the log took, and why it ends early."""
    most, began, heard, last = 0, time.perf_counter(), time.perf_counter(), -1
    query = "select sum(rows), max(trouble) from rwt_engine.sources"
    while True:
        read, trouble = connection.execute(query).fetchone()
        most = max(most, stack.log_bytes())
        now = time.perf_counter()
        if read is not None and int(read) >= events:
            return now - began, most, None
        if read != last:
            last, heard = read, now
        if trouble and now - heard > 15 or now - heard > 120 or now - began > patience:
            return now - began, most, f"{read} of {events} rows: {trouble}"
        time.sleep(0.05)


def timed(connection, query):
    began = time.perf_counter()
    rows = connection.execute(query).fetchall()
    return time.perf_counter() - began, rows


def settled(stack):
    """The log's size once it does not change any more."""
    size, since = stack.log_bytes(), time.perf_counter()
    while time.perf_counter() - since < 5:
        time.sleep(0.2)
        now = stack.log_bytes()
        if now != size:
            size, since = now, time.perf_counter()
    return size


def summary(rows):
    """What two engines must agree on."""
    return [len(rows), *(sum(row[i] for row in rows) for i in (1, 2, 3))]


def measure_rwt(given, events, directory):
    stack = Stack(given.rwt, directory, given.memory_limit)
    found = {"events": events, "tool": "rwt"}
    ago = events // RATE + 3600
    try:
        stack.run("up")
        found["produce_s"] = produce(stack, events, 1, ago)
        with stack.connect() as connection:
            began = time.perf_counter()
            stack.run("run", "--select", "src_page", "src_cart", "src_purchase", "funnel")
            seconds, found["log_peak"], stopped = ingest(stack, connection, events)
            seconds = time.perf_counter() - began
            found["ingest_s"], found["memory_ingested"] = seconds, stack.memory("VmRSS")
            if stopped:
                found["stopped"] = stopped
                found["read"] = int(connection.execute("select sum(rows) from rwt_engine.sources").fetchone()[0])
            found["first_s"], rows = timed(connection, FUNNEL)
            found["answer"] = summary(rows)
            show(found)
            found["again_s"] = statistics.median(timed(connection, FUNNEL)[0] for _ in range(given.runs))
            found["memory_peak"] = stack.memory("VmHWM")
            export(stack, directory)
            changed, total = [], events
            if not stopped:
                for run in range(given.runs):
                    produce(stack, 1000, 2 + run, 1800)
                    total += 1000
                    ingest(stack, connection, total)
                    changed.append(timed(connection, FUNNEL)[0])
                found["changed_s"] = statistics.median(changed)
            found["log_settled"] = settled(stack)
            found["rows"] = [connection.execute(f"select count(*) from {name}").fetchone()[0] for name, _ in TOPICS.values()]
        os.kill(stack.pid(), signal.SIGKILL)
        time.sleep(1)
        began = time.perf_counter()
        stack.run("up")
        found["up_s"] = time.perf_counter() - began
        with stack.connect() as connection:
            rows = timed(connection, FUNNEL)[1]
            found["restart_s"] = time.perf_counter() - began
            found["memory_restarted"] = stack.memory("VmHWM")
            found["rows_restarted"] = [connection.execute(f"select count(*) from {name}").fetchone()[0] for name, _ in TOPICS.values()]
    finally:
        subprocess.run([given.rwt, "down", "--project-dir", stack.project], capture_output=True)
    return found


def export(stack, directory):
    """The messages of the topics as JSON lines, for DuckDB."""
    from confluent_kafka import Consumer, TopicPartition
    for topic in TOPICS:
        consumer = Consumer({"bootstrap.servers": stack.brokers, "group.id": "export", "enable.auto.commit": False})
        left, assigned = 0, []
        for partition in consumer.list_topics(topic, 10).topics[topic].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), 10)
            left += high - low
            assigned.append(TopicPartition(topic, partition, low))
        consumer.assign(assigned)
        with open(directory / f"{topic}.jsonl", "wb") as out:
            while left > 0:
                messages = consumer.consume(10000, 10)
                if not messages:
                    raise SystemExit(f"{topic} ends {left} messages early")
                left -= len(messages)
                out.write(b"".join(message.value() + b"\n" for message in messages))
        consumer.close()


def measure_duckdb(given, events, directory):
    """In a process of its own, for its peak memory."""
    out = subprocess.run([sys.executable, __file__, "--rwt", given.rwt, "--runs", str(given.runs), "--duckdb", directory],
                         capture_output=True, text=True)
    if out.returncode != 0:
        raise SystemExit(out.stderr)
    return {"events": events, "tool": "DuckDB", **json.loads(out.stdout)}


def duckdb(directory, runs):
    import duckdb
    connection = duckdb.connect()
    began = time.perf_counter()
    for topic, (table, item) in TOPICS.items():
        columns = {"user_id": "INTEGER", **({item: "VARCHAR"} if item else {}),
                   **({"amount": "DOUBLE"} if not item else {}), "event_time": "TIMESTAMP"}
        connection.execute(f"create table {table} as select * from read_json('{directory}/{topic}.jsonl',"
                           f" format = 'newline_delimited', columns = {columns})")
    found = {"ingest_s": time.perf_counter() - began}
    stage = "select distinct time_bucket(interval '1 minute', event_time) as window_start, user_id from {}"
    query = f"""
        with views as ({stage.format('src_page')}), carts as ({stage.format('src_cart')}), buys as ({stage.format('src_purchase')})
        select views.window_start, count(views.user_id), count(carts.user_id), count(buys.user_id)
        from views
        left join carts on carts.user_id = views.user_id and carts.window_start = views.window_start
        left join buys on buys.user_id = views.user_id and buys.window_start = views.window_start
        group by views.window_start"""
    samples = []
    for _ in range(runs):
        seconds, rows = timed(connection, query)
        samples.append(seconds)
    found["first_s"], found["changed_s"] = samples[0], statistics.median(samples)
    found["answer"], found["memory_peak"] = summary(rows), kernel_memory(os.getpid(), "VmHWM")
    return found


def numbers(text):
    return [int(part) for part in text.split(",") if part]


def show(row):
    size = {"memory_ingested", "memory_peak", "memory_restarted", "log_peak", "log_settled"}
    parts = [f"{key} {value / 2**20:.0f} MB" if key in size else f"{key} {value:.3f}" if isinstance(value, float)
             else f"{key} {value}" for key, value in row.items()]
    print(", ".join(parts), file=sys.stderr, flush=True)


def table(results):
    """The results in Markdown."""
    lines = ["| Events | Tool | Events/s read | Funnel first, s | Funnel after a change, s | Peak MB | Restart, s | Log MB, peak, compacted |",
             "|---:|---|---:|---:|---:|---:|---:|---:|"]
    for row in results:
        rate = row.get("read", row["events"]) / row["ingest_s"]
        log = f"{row['log_peak'] / 2**20:.0f}, {row['log_settled'] / 2**20:.0f}" if "log_peak" in row else ""
        cell = lambda key: f"{row[key]:.2f}" if key in row else ""
        lines.append(f"| {row['events']:,} | {row['tool']} | {rate:,.0f} | {cell('first_s')} | {cell('changed_s')} |"
                     f" {row['memory_peak'] / 2**20:.0f} | {cell('restart_s')} | {log} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rwt", required=True)
    parser.add_argument("--sizes", type=numbers, default=[1_000_000, 10_000_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--memory-limit")
    parser.add_argument("--directory", help="where stacks and exports are put while they are measured")
    parser.add_argument("--output")
    parser.add_argument("--duckdb", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.duckdb:
        print(json.dumps(duckdb(given.duckdb, given.runs)))
        return
    given.rwt = str(pathlib.Path(given.rwt).resolve())
    results = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="rwt-engine-", dir=given.directory) as work:
            work = pathlib.Path(work)
            ours = measure_rwt(given, size, work)
            show(ours)
            results.append(ours)
            theirs = measure_duckdb(given, size, work)
            show(theirs)
            results.append(theirs)
            if "stopped" not in ours and ours["answer"] != theirs["answer"]:
                raise SystemExit(f"the answers differ: {ours['answer']} and {theirs['answer']}")
            if ours["rows"] != ours["rows_restarted"]:
                raise SystemExit(f"rows were lost: {ours['rows']} before the kill, {ours['rows_restarted']} after it")
    print(table(results))
    if given.output:
        pathlib.Path(given.output).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
