"""An S3 server on loopback with one bucket, cliffwatch, in memory: for .ci/clusters.

Prints its address and ends with the process that started it.
"""
import os
import time
import urllib.request

from moto.server import ThreadedMotoServer

parent = os.getppid()
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
endpoint = "http://%s:%d" % server.get_host_and_port()
bucket = urllib.request.Request(endpoint + "/cliffwatch", method="PUT")
urllib.request.urlopen(bucket, timeout=30).close()
print(endpoint, flush=True)
while os.getppid() == parent:
    time.sleep(0.5)
server.stop()
