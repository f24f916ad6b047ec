"""Answers spark-submit as Kubernetes' API server does, on loopback: for .ci/clusters.

Keeps what is created as FOLDER/<kind>.json, runs nothing, prints its address and ends with the process that
started it.
"""
import http.server
import json
import os
import sys
import threading
import time
import uuid

folder = sys.argv[1]


class ApiServer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def create(self):
        created = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        created["metadata"]["uid"] = str(uuid.uuid4())
        with open(os.path.join(folder, created["kind"] + ".json"), "w") as file:
            json.dump(created, file)
        self.reply(201, created)

    def absent(self):
        self.reply(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})

    do_POST = do_PATCH = create
    do_GET = absent


parent = os.getppid()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ApiServer)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("http://%s:%d" % server.server_address, flush=True)
while os.getppid() == parent:
    time.sleep(0.5)
