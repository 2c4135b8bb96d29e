"""edges.py FILE: does records.py have the edges of the rules where the table FILE has them?

FILE is tests/vectors/rules/edges.json, which says what it is; the server's own code is held against it
by tests/vectors/record_edges_test.c.
"""

import json
import pathlib
import sys

import records


def result(statement):
    try:
        s = records.Statement(statement.encode())
        records.CHECKS.get(s.type, records.Log.claim_of)(s)
    except records.Problem as problem:
        return problem.slug
    return "admitted"


def main():
    table = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    bases = {name: json.dumps(base, separators=(",", ":")).replace('"', "'")
             for name, base in table["bases"].items()}
    wrong = 0
    for case in table["cases"]:
        assert bases[case["base"]].count(case["from"]) == 1, case["name"]
        found = result(bases[case["base"]].replace(case["from"], case["to"]).replace("'", '"'))
        if found != case["result"]:
            wrong += 1
            print("edges.py: %s, %s: %s here, not %s" % (case["base"], case["name"], found, case["result"]))
    print("edges.py: %d edges, %d of them elsewhere" % (len(table["cases"]), wrong))
    return 1 if wrong or not table["cases"] else 0


if __name__ == "__main__":
    sys.exit(main())
