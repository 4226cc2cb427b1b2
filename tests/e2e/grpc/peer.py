"""A server and a client of gRPC (grpcio from PyPI), without generated code: messages are bytes.

    peer.py serve [CERT KEY]           prints `port N`, then a line for each thing that is worth one
    peer.py call CASE ADDRESS [CA]     prints what the case saw, a line each; exits with 0 unless it broke
"""

import sys
import threading
from concurrent import futures

import grpc

SERVICE = "/test.Peer/"
SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
# A wait that is over at once where nothing is wrong.
LIMIT = 20


def say(*words):
    print(*words, flush=True)


# --- the server ---


def unary(message, context):
    return b"got " + message


def large(message, context):
    """So many bytes as asked for, and how many came in the metadata behind them."""
    want, _, filler = message.partition(b" ")
    context.set_trailing_metadata((("x-received", str(len(filler))),))
    return b"x" * int(want)


def collect(messages, context):
    return b" ".join(messages)


def count(message, context):
    for number in range(int(message)):
        yield b"%d" % number


def chat(messages, context):
    """Answers each message before the next one comes; the head goes before any."""
    context.add_callback(lambda: say("gone chat"))
    context.send_initial_metadata((("x-head", "early"),))
    for message in messages:
        yield b"got " + message


def metadata(message, context):
    seen = {key: value for key, value in context.invocation_metadata()}
    context.send_initial_metadata((("x-first", seen.get("x-from-client", "none")), ("x-bin-bin", b"\x00\xff\x80")))
    context.set_trailing_metadata(
        (("x-last", "one"), ("x-last", "two"), ("x-echo-bin", seen.get("x-from-bin", b"none")))
    )
    context.set_details("done: 100 % ümläut")
    context.set_code(grpc.StatusCode.OK)
    return b" ".join(key.encode() for key in ("te", "user-agent") if key in seen)


def fail(message, context):
    """Trailers only."""
    context.set_trailing_metadata((("x-why", "because"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not 100 % ready: Müller\n")


def fail_late(message, context):
    yield b"first"
    context.abort(grpc.StatusCode.DATA_LOSS, "half way")


def refuse(messages, context):
    """Ends without a look at what the client still sends."""
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more")


def hang(message, context):
    """Until the client gives up, which is said."""
    gone = threading.Event()
    context.add_callback(lambda: (say("gone", message.decode()), gone.set()))
    if message == b"begun":
        context.send_initial_metadata(())
    gone.wait(LIMIT)
    return b"late"


def drip(message, context):
    gone = threading.Event()
    context.add_callback(lambda: (say("gone", message.decode()), gone.set()))
    yield b"first"
    gone.wait(LIMIT)


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Large": grpc.unary_unary_rpc_method_handler(large),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Metadata": grpc.unary_unary_rpc_method_handler(metadata),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "FailLate": grpc.unary_stream_rpc_method_handler(fail_late),
    "Refuse": grpc.stream_unary_rpc_method_handler(refuse),
    "Hang": grpc.unary_unary_rpc_method_handler(hang),
    "Drip": grpc.unary_stream_rpc_method_handler(drip),
}


class Health(grpc.GenericRpcHandler):
    """grpc.health.v1: whatever a file says is the state of the service, 1 (SERVING) where there is none."""

    def __init__(self, path):
        self.path = path

    def service(self, details):
        if details.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(self.check)
        return None

    def check(self, message, context):
        say("check", message.hex() or "-")
        try:
            with open(self.path, encoding="ascii") as file:
                state = file.read().strip()
        except OSError:
            state = "1"
        if state == "unknown":
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([8, int(state)])


def serve(args):
    health = None
    if args and args[0].startswith("health="):
        health = args.pop(0).partition("=")[2]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=SIZE)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Peer", METHODS),))
    if health:
        server.add_generic_rpc_handlers((Health(health),))
    if args:
        cert, key = (open(path, "rb").read() for path in args)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(((key, cert),)))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    say("port", port)
    server.wait_for_termination()


# --- the client ---


def told(pairs, *names):
    return [(key, value) for key, value in pairs or () if key in names]


def failure(err):
    return f"{err.code().name}: {err.details()!r}"


def case_unary(channel):
    call = channel.unary_unary(SERVICE + "Unary")
    for number in range(3):
        say(call(b"%d" % number, timeout=LIMIT))
    say(call(b"", timeout=LIMIT))


def case_streams(channel):
    say(channel.stream_unary(SERVICE + "Collect")(iter([b"a", b"b", b"c"]), timeout=LIMIT))
    say(channel.stream_unary(SERVICE + "Collect")(iter([]), timeout=LIMIT))
    say(list(channel.unary_stream(SERVICE + "Count")(b"4", timeout=LIMIT)))
    say(list(channel.unary_stream(SERVICE + "Count")(b"0", timeout=LIMIT)))


def case_chat(channel):
    """Nothing is sent until the head has come, then one message at a time."""
    ready = threading.Semaphore(0)
    words = iter([b"one", b"two", b"three"])

    def messages():
        for word in words:
            if not ready.acquire(timeout=LIMIT):
                return
            yield word

    call = channel.stream_stream(SERVICE + "Chat")(messages(), timeout=LIMIT)
    say(told(call.initial_metadata(), "x-head"))
    for _ in range(3):
        ready.release()
        say(next(call))
    say(list(call), call.code().name)


def case_pause(channel):
    """Says little, and that seldom."""

    def messages():
        for word in (b"one", b"two", b"three"):
            yield word
            threading.Event().wait(1.5)

    say(list(channel.stream_stream(SERVICE + "Chat")(messages(), timeout=LIMIT)))


def case_metadata(channel):
    sent = (("x-from-client", "hello"), ("x-from-bin", b"\x01\x02\xfe"))
    answer, call = channel.unary_unary(SERVICE + "Metadata").with_call(b"", metadata=sent, timeout=LIMIT)
    say(answer)
    say(told(call.initial_metadata(), "x-first", "x-bin-bin"))
    say(told(call.trailing_metadata(), "x-last", "x-echo-bin"))
    say(call.code().name, repr(call.details()))


def case_failures(channel):
    for method, message in (("Fail", b""), ("None", b"")):
        try:
            channel.unary_unary(SERVICE + method)(message, timeout=LIMIT)
        except grpc.RpcError as err:
            say(failure(err), told(err.trailing_metadata(), "x-why"))
    call = channel.unary_stream(SERVICE + "FailLate")(b"", timeout=LIMIT)
    try:
        for message in call:
            say(message)
    except grpc.RpcError as err:
        say(failure(err))
    ended = threading.Event()

    def endless():
        while not ended.wait(0.001):
            yield b"x" * 1000

    try:
        channel.stream_unary(SERVICE + "Refuse")(endless(), timeout=LIMIT)
    except grpc.RpcError as err:
        say(failure(err))
    ended.set()


def case_large(channel):
    for there, back in ((5_000_000, 10), (10, 5_000_000), (3_000_000, 3_000_000)):
        message = b"%d " % back + b"y" * there
        answer, call = channel.unary_unary(SERVICE + "Large").with_call(message, timeout=LIMIT)
        say(len(answer), told(call.trailing_metadata(), "x-received"))


def case_many(channel):
    """More at once than a connection has streams by default."""
    call = channel.unary_unary(SERVICE + "Unary")
    asked = [call.future(b"%d" % number, timeout=LIMIT) for number in range(300)]
    say(sum(future.result() == b"got %d" % number for number, future in enumerate(asked)))


def case_cancel(channel):
    # Once the head has come; a client of a stream is told of that.
    call = channel.unary_stream(SERVICE + "Hang")(b"begun", timeout=LIMIT)
    call.initial_metadata()
    call.cancel()
    say(call.code().name)
    call = channel.unary_stream(SERVICE + "Drip")(b"stream", timeout=LIMIT)
    say(next(call))
    call.cancel()
    say(call.code().name)
    # While it sends.
    ended = threading.Event()

    def messages():
        yield b"one"
        ended.wait(LIMIT)

    call = channel.stream_stream(SERVICE + "Chat")(messages(), timeout=LIMIT)
    say(next(call))
    call.cancel()
    ended.set()
    say(call.code().name)
    # The connection goes on.
    say(channel.unary_unary(SERVICE + "Unary")(b"after", timeout=LIMIT))


def case_deadline(channel):
    try:
        channel.unary_unary(SERVICE + "Hang")(b"deadline", timeout=2)
    except grpc.RpcError as err:
        say(err.code().name)


def case_error(channel):
    try:
        say(channel.unary_unary(SERVICE + "Unary")(b"x", timeout=LIMIT))
    except grpc.RpcError as err:
        say(failure(err))


def call(args):
    case, address, *more = args
    if more:
        ca, name = more
        with open(ca, "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        channel = grpc.secure_channel(address, credentials, SIZE + [("grpc.ssl_target_name_override", name)])
    else:
        channel = grpc.insecure_channel(address, SIZE)
    with channel:
        globals()["case_" + case](channel)


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](sys.argv[2:])
