#!/usr/bin/env python3
"""Makes fixtures of a recorded run: its steps without raw pairs and machine
details, and its calls without prompts.

    strip_run.py RUN EXPORT.jsonl FOLDER
"""

import json
import os
import sqlite3
import sys

run, export, folder = sys.argv[1:]
name = os.path.basename(run)

with open(export) as file, open(f"{folder}/{name}_run.jsonl", "w") as out:
    head = json.loads(next(file))
    facts = head["facts"]
    kept = {"founders": facts["founders"], "device": facts["device"]}
    out.write(json.dumps({**head, "facts": kept}) + "\n")
    for line in file:
        step = json.loads(line)
        outcome = step["outcome"]
        details = outcome.get("details") or {}
        outcome["details"] = {key: value for key, value in details.items()
                              if key == "requested_operation"}
        for shape in (outcome.get("measurements") or {}).get("shapes", []):
            shape["pairs"] = shape["pairs"][:1]
        out.write(json.dumps(step) + "\n")

database = sqlite3.connect(f"file:{run}/run.db?mode=ro", uri=True)
calls = database.execute("SELECT record FROM llm_calls ORDER BY id").fetchall()
if calls:
    with open(f"{folder}/{name}_calls.jsonl", "w") as out:
        for (record,) in calls:
            call = json.loads(record)
            call["messages"] = []
            out.write(json.dumps(call) + "\n")
