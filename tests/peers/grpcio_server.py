"""pooltest.TestService on grpcio, as far as the scenarios need it.

    grpcio_server.py PORT [CHANNEL_OPTION=NUMBER]...

Prints its port (0 lets the system choose), then one line of JSON with what it has seen for each line it reads.
Ends with its input, and so with whoever started it.
"""

import collections
import json
import sys
import threading
import time
from concurrent import futures

import grpc
import testing_pb2 as pb
import testing_pb2_grpc as rpc

# Each call in progress occupies a thread, and none may wait for one: the count of streams would be too low.
THREADS = 160


class Call:
    """A call in progress."""

    def __init__(self):
        # The transport says that there is no such call any more.
        self.over = threading.Event()
        # The handler says that it has come to its own end.
        self.finished = False


class Seen:
    """What the server has seen, counted per call and per connection. A connection is known by its client's port."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = 0
        self.cancelled = 0
        self.most_streams = 0
        self.connections = set()
        self.open = collections.Counter()
        self.attempts = collections.defaultdict(list)

    def begin(self, context):
        """Counts a call, and has its end counted."""
        peer = context.peer()
        call = Call()
        with self.lock:
            self.calls += 1
            self.connections.add(peer)
            self.open[peer] += 1
            self.most_streams = max(self.most_streams, self.open[peer])
        # Told of the end by the transport: a handler that has returned may still hold the stream, and one that waits in
        # a `yield` when the call is cancelled is never resumed.
        context.add_callback(lambda: self.end(peer, call))
        return call

    def end(self, peer, call):
        call.over.set()
        with self.lock:
            self.open[peer] -= 1
            self.cancelled += not call.finished

    def attempt(self, key, context):
        """Counts an attempt, and remembers what it said of those before it and when it came."""
        previous = dict(context.invocation_metadata()).get("grpc-previous-rpc-attempts")
        with self.lock:
            self.attempts[key].append((None if previous is None else int(previous), time.monotonic()))
            return len(self.attempts[key])

    def report(self):
        with self.lock:
            return json.dumps({
                "calls": self.calls,
                "connections": len(self.connections),
                "most_streams": self.most_streams,
                "cancelled": self.cancelled,
                "attempts": self.attempts,
            })


class TestService(rpc.TestServiceServicer):
    def __init__(self, seen):
        self.seen = seen

    def Unary(self, request, context):
        call = self.seen.begin(context)
        script = request.script
        attempt = self.seen.attempt(script.key, context) if script.key else 0
        time.sleep(script.delay_ms / 1000)
        spared = script.fail_first and attempt > script.fail_first
        if script.headers:
            context.send_initial_metadata(tuple(script.headers.items()))
        call.finished = True
        if script.HasField("failure") and not spared:
            context.set_trailing_metadata(tuple(script.trailers.items()))
            # Trailers-Only, unless headers are out: an answer with a message would be final whatever its status.
            context.abort(next(code for code in grpc.StatusCode if code.value[0] == script.failure.code), "as told")
        return pb.TestReply(payload=request.payload, client=context.peer(), attempt=attempt)

    def Bidi(self, requests, context):
        call = self.seen.begin(context)
        for request in requests:
            yield pb.TestReply(payload=request.payload)
        # grpcio now and then takes a reset for the end of the requests. It was the end if the call is still there.
        call.finished = not call.over.wait(1)


def main():
    port, *options = sys.argv[1:]
    options = [option.split("=") for option in options]
    options = [("grpc.so_reuseport", 0)] + [(name, int(value)) for name, value in options]
    server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=options)
    seen = Seen()
    rpc.add_TestServiceServicer_to_server(TestService(seen), server)
    print(server.add_insecure_port(f"127.0.0.1:{port}"), flush=True)
    server.start()
    for _ in sys.stdin:
        print(seen.report(), flush=True)
    server.stop(grace=None).wait()


main()
