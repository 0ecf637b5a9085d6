#!/usr/bin/env python3
"""Measures rwt beside dbt-core with dbt-risingwave and dbt's Rust engine, in one run on one machine.

    compare.py --rwt target/release/rwt [--dbt ENV/bin/dbt] [--dbt-rust ENV/bin/dbt]
               [--sizes 100,1000,5000,10000] [--dbt-sizes 100,1000,5000] [--runs 5] [--dbt-runs 1] [--output FILE.json]

Each tool gets projects of its own, which `generate.py` writes: the same files, with the adapter's name that the tool takes.
Every run is cold: what a tool has written is removed before it. Medians of CPU seconds (user and system), wall seconds and
peak memory, and CPU time in units of rwt's. Times come from hyperfine where it is installed, else from the kernel's account
of the process and its children (wait4), as the peak memory always does. README.md says how the environments are made.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from generate import generate

DBT = ["--no-partial-parse", "--no-use-colors"]
OFFLINE = ["--no-introspect", "--no-populate-cache"]
ENVIRONMENT = {"DBT_ALLOW_EXPERIMENTAL_ADAPTERS": "true", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}


class Tool:
    """A program, the adapter that it takes, and its words for each task."""

    def __init__(self, name, program, adapter, tasks, place, leftovers):
        self.name, self.program, self.adapter = name, program, adapter
        self.tasks, self.place, self.leftovers = tasks, place, leftovers

    def command(self, task, project):
        place = [part.format(project=project) for part in self.place]
        return [self.program, *self.tasks[task], *([] if task == "start-up" else place)]


def tools(given):
    directories = ["--project-dir", "{project}", "--profiles-dir", "{project}"]
    found = [Tool("rwt", given.rwt, "risingwave", {"start-up": ["--version"], "compile": ["compile"], "ls": ["ls"]},
                  directories, ["target", "compiled"])]
    if knows_parse(given.rwt):
        found[0].tasks["parse"] = ["parse"]
    tasks = {"start-up": ["--version"], "parse": ["parse", *DBT], "compile": ["compile", *DBT, *OFFLINE], "ls": ["ls", *DBT]}
    if given.dbt:
        found.append(Tool("dbt-core", given.dbt, "risingwave", tasks, directories, ["target", "logs"]))
    if given.dbt_rust:
        rust = {"start-up": ["--version"], "parse": ["parse"], "compile": ["compile", "--no-introspect"], "ls": ["ls"]}
        found.append(Tool("dbt's Rust engine", given.dbt_rust, "postgres", rust, directories, ["target", "logs"]))
    return found


def knows_parse(rwt):
    asked = subprocess.run([rwt, "parse", "--help"], capture_output=True)
    return asked.returncode == 0


def clean(tool, project):
    for name in tool.leftovers:
        shutil.rmtree(project / name, ignore_errors=True)


def rusage_run(command, environment):
    """CPU seconds, wall seconds, peak memory in bytes of one run."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        if process.returncode != 0:
            log.seek(0)
            text = log.read().decode(errors="replace")
            raise SystemExit(f"{' '.join(command)} failed with {process.returncode}:\n{text[-3000:]}")
    return used.ru_utime + used.ru_stime, wall, used.ru_maxrss * 1024


def hyperfine_run(command, environment, runs, tool, project):
    prepare = "rm -rf " + " ".join(f"'{project / name}'" for name in tool.leftovers)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        subprocess.run(["hyperfine", "--shell=none", "--warmup=0", f"--runs={runs}", f"--prepare=sh -c \"{prepare}\"",
                        f"--export-json={out.name}", "--style=none", subprocess.list2cmdline(command)],
                       check=True, env=environment, stdout=subprocess.DEVNULL)
        result = json.load(open(out.name))["results"][0]
    # hyperfine tells the mean of the CPU time and the median of the wall time.
    return result["user"] + result["system"], result["median"]


def measure(tool, task, project, runs):
    command = tool.command(task, project)
    environment = {**os.environ, **ENVIRONMENT}
    samples = []
    single = 1 if shutil.which("hyperfine") and runs > 1 else runs
    for _ in range(single):
        clean(tool, project)
        samples.append(rusage_run(command, environment))
    cpu, wall, memory = (statistics.median(column) for column in zip(*samples))
    if single != runs:
        cpu, wall = hyperfine_run(command, environment, runs, tool, project)
    return {"cpu": round(cpu, 4), "wall": round(wall, 4), "memory": memory}


def warm_after_change(tool, project, runs):
    """The second compile, after one file has changed since the first."""
    command = tool.command("compile", project)
    environment = {**os.environ, **ENVIRONMENT}
    file = sorted((project / "models" / "marts").rglob("*.sql"))[0]
    original = file.read_text()
    samples = []
    try:
        clean(tool, project)
        rusage_run(command, environment)
        for run in range(runs):
            file.write_text(f"{original}-- changed {run}\n")
            samples.append(rusage_run(command, environment))
    finally:
        file.write_text(original)
    cpu, wall, memory = (statistics.median(column) for column in zip(*samples))
    return {"cpu": round(cpu, 4), "wall": round(wall, 4), "memory": memory}


def numbers(text):
    return [int(part) for part in text.split(",") if part]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rwt", required=True)
    parser.add_argument("--dbt")
    parser.add_argument("--dbt-rust")
    parser.add_argument("--sizes", type=numbers, default=[100, 1000, 5000, 10000])
    parser.add_argument("--dbt-sizes", type=numbers, default=[100, 1000, 5000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--dbt-runs", type=int, default=1)
    parser.add_argument("--output")
    given = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="rwt-compare-") as work:
        for size in given.sizes:
            for tool in tools(given):
                if tool.name != "rwt" and size not in given.dbt_sizes:
                    continue
                project = pathlib.Path(work) / f"{tool.adapter}-{size}"
                if not project.exists():
                    generate(size, project, tool.adapter)
                runs = given.runs if tool.name == "rwt" else given.dbt_runs
                for task in ["start-up", "parse", "ls", "compile"]:
                    if task in tool.tasks and (task != "start-up" or size == given.sizes[0]):
                        found = measure(tool, task, project, runs)
                        show(results, {"models": size, "tool": tool.name, "task": task, **found})
                if tool.name == "rwt":
                    found = warm_after_change(tool, project, runs)
                    show(results, {"models": size, "tool": tool.name, "task": "compile, one file changed", **found})
    print(table(results))
    if given.output:
        pathlib.Path(given.output).write_text(json.dumps(results, indent=1) + "\n")


def show(results, row):
    results.append(row)
    print(f"{row['models']:>6} {row['tool']:<18} {row['task']:<26} {row['cpu']:9.3f} s CPU {row['wall']:9.3f} s"
          f" {row['memory'] / 2**20:7.0f} MB", file=sys.stderr, flush=True)


def table(results):
    """The results in Markdown."""
    ours = {(row["models"], row["task"]): row["cpu"] for row in results if row["tool"] == "rwt"}
    lines = ["| Models | Task | Tool | CPU s | Wall s | Peak MB | CPU in units of rwt's |", "|---:|---|---|---:|---:|---:|---:|"]
    order = {"start-up": 0, "parse": 1, "ls": 2, "compile": 3}
    for row in sorted(results, key=lambda row: (row["models"], order.get(row["task"], 4))):
        rwt = ours.get((row["models"], row["task"]))
        ratio = f"{row['cpu'] / rwt:.0f}" if rwt and row["tool"] != "rwt" else ""
        lines.append(f"| {row['models']:,} | {row['task']} | {row['tool']} | {row['cpu']:.2f} | {row['wall']:.2f} |"
                     f" {row['memory'] / 2**20:.0f} | {ratio} |")
    return "\n".join(lines)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
