"""Validates artifacts against dbt's JSON schemas: `validate.py <folder of schemas> <artifact>=<schema> …`.

Prints every violation with its path, and ends with 1 if there is any.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator


def main() -> int:
    schemas, pairs = Path(sys.argv[1]), sys.argv[2:]
    violations = 0
    for pair in pairs:
        artifact, name = pair.rsplit("=", 1)
        schema = json.loads((schemas / f"{name}.json").read_text())
        Draft202012Validator.check_schema(schema)
        document = json.loads(Path(artifact).read_text())
        for section in sorted(document):
            # One entry after the other: an error of an `anyOf` says little about a whole manifest.
            part = schema["properties"].get(section)
            if part is None:
                print(f"{artifact}: {section} is not in the schema")
                violations += 1
                continue
            for error in Draft202012Validator(part).iter_errors(document[section]):
                path = "/".join(str(step) for step in [section, *error.absolute_path])
                closest = best(error)
                print(f"{artifact}: {path}: {closest.message[:300]}")
                violations += 1
        for key in schema.get("required", []):
            if key not in document:
                print(f"{artifact}: {key} is missing")
                violations += 1
    return 1 if violations else 0


def best(error):
    """Of the alternatives of an `anyOf`, the one that fits best, and what it lacks."""
    while error.context:
        branches: dict = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        wrong_type = {index for index, inners in branches.items() if any("const" in i.schema_path or i.validator == "const" for i in inners)}
        kept = {index: inners for index, inners in branches.items() if index not in wrong_type} or branches
        error = min(kept.values(), key=len)[0]
    return error


if __name__ == "__main__":
    sys.exit(main())
