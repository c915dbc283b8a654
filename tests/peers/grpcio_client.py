"""A grpcio client of pooltest.TestService, to compare the pool's retries with.

    grpcio_client.py PORT

Reads cases, one JSON object in a line: {"config": service config, "calls": [TestRequest in JSON, ...]}. Makes the calls
of each one after the other on a channel of its own, and prints the list of their status codes.
"""

import json
import sys

import grpc
import testing_pb2 as pb
import testing_pb2_grpc as rpc
from google.protobuf import json_format

DEADLINE = 10


def play(port, case):
    options = [("grpc.service_config", json.dumps(case["config"]))]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        # Connected first: what is compared is calls.
        grpc.channel_ready_future(channel).result(DEADLINE)
        stub = rpc.TestServiceStub(channel)
        return [call(stub, request) for request in case["calls"]]


def call(stub, request):
    try:
        stub.Unary(json_format.ParseDict(request, pb.TestRequest()), timeout=DEADLINE)
        return 0
    except grpc.RpcError as error:
        return error.code().value[0]


for line in sys.stdin:
    print(json.dumps(play(sys.argv[1], json.loads(line))), flush=True)
