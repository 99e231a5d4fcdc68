#!/usr/bin/env python3
"""Answers chat completions from answers.txt, in order: how the transcript
beside it was recorded. Answers marked `repair` wait for a request to repair.

    serve_answers.py ANSWERS PORT
"""

import http.server
import json
import re
import sys


def read_answers(path):
    parts = re.split(r"^=== \d+ (\w+)\n", open(path).read(), flags=re.M)[1:]
    return list(zip(parts[::2], parts[1::2]))


class Service(http.server.BaseHTTPRequestHandler):
    answers = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        user = [m["content"] for m in body["messages"] if m["role"] == "user"]
        kind = "repair" if "Mend it" in user[0] else "any"
        if kind == "repair" and not any(k == kind for k, _ in self.answers):
            kind = "any"
        at = next((i for i, (k, _) in enumerate(self.answers) if k == kind),
                  None)
        text = self.answers.pop(at)[1] if at is not None else "I have no more."
        reply = {
            "model": body["model"],
            "choices": [{"message": {"role": "assistant", "content": text},
                         "finish_reason": "stop"}],
            "usage": {"prompt_tokens": sum(map(len, user)) // 4,
                      "completion_tokens": len(text) // 4},
        }
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Service.answers = read_answers(sys.argv[1])
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])),
                           Service).serve_forever()
