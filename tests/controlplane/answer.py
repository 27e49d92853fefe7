"""Stands in for a container's programs: answers from the folder in ANSWERS, else "no such program".

``answers.json`` there maps a command line (or just its program) to ``{"out", "err", "code", "seconds"}``.
It runs without site packages, since it is started for every `exec`.
"""

import json
import os
import shlex
import sys
import time

with open(os.path.join(os.environ["ANSWERS"], "answers.json"), encoding="utf-8") as file:
    answers = json.load(file)
argv = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
answer = answers.get(shlex.join(argv)) or answers.get(argv[0])
if answer is None:
    sys.stderr.write(f"{argv[0]}: no answer to {shlex.join(argv)}\n")
    sys.exit(127)
sys.stdout.write(answer.get("out", ""))
sys.stdout.flush()
sys.stderr.write(answer.get("err", ""))
time.sleep(answer.get("seconds", 0))
sys.exit(answer.get("code", 0))
