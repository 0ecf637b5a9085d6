"""Runs dbt-core 1.12 with dbt-risingwave on conformance projects, once with its own parser and once with rwt as its
parser, and compares the statements that arrive at the database: `handoff.py <rwt> <project> …`.

The interpreter is one that `tests/conformance/record.py` made.
"""

import os
import shlex
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))

import record  # noqa: E402


def statements(name: str, parser: list[str]) -> tuple[dict, dict]:
    """Statements per node of a first run, and dbt's errors."""
    with tempfile.TemporaryDirectory() as work:
        case = record.Case(name, Path(work))
        plain = case.dbt
        case.dbt = lambda *args, **kwargs: plain(*parser, *args, **kwargs)
        try:
            found = case.run("first")
        finally:
            case.server.close()
        return record.without_places(found["statements"], str(case.dir)), record.without_places(found["errors"], str(case.dir))


def main() -> int:
    rwt, names = sys.argv[1], sys.argv[2:]
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    differences = 0
    for name in names:
        own, own_errors = statements(name, [])
        ours, our_errors = statements(name, ["--use-v2-parser", "--v2-parser", f"{shlex.quote(rwt)} parse"])
        for node in sorted({*own, *ours, *own_errors, *our_errors}):
            want = (sorted(own.get(node, [])) if not node else own.get(node, []), own_errors.get(node))
            got = (sorted(ours.get(node, [])) if not node else ours.get(node, []), our_errors.get(node))
            if want != got:
                differences += 1
                print(f"{name}: {node}\n  with dbt's parser {want}\n  with rwt          {got}")
        print(f"{name}: {sum(len(found) for found in own.values())} statements of {len(own)} nodes compared")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
