"""A router that only answers, for tests of what an edge lets through: no model, no workers, and calls that last as long
as a test wants."""

import concurrent.futures
import contextlib
import threading

import grpc

SERVING = b"\x08\x01"  # A HealthCheckResponse.
STARTED = b"\x0a\x00"  # A GenerateResponse.
MOST_CALLS = 64        # At a time: each has a thread.


class StubRouter:
    """Serves at host:port with the certificate of a router, until stop(). `Generate` sends one event, then waits for
    release(); `Complete` answers at once with nothing, and so does health; `Watch` never ends."""

    def __init__(self, certificates, host="127.0.0.1", port=0):
        self._changed = threading.Condition()
        self._released = False
        self.seen, self.open = 0, 0  # Calls of the InferenceService.
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(MOST_CALLS),
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1),
                     ("grpc.max_metadata_size", 1 << 20)])
        own = [(certificates / f"router.{kind}").read_bytes() for kind in ("key", "pem")]
        credentials = grpc.ssl_server_credentials([own], (certificates / "ca.pem").read_bytes(), True)
        self._server.add_generic_rpc_handlers((_Handler(self),))
        self.address = f"{host}:{self._server.add_secure_port(f'{host}:{port}', credentials)}"
        self._server.start()

    @contextlib.contextmanager
    def _counted(self):
        with self._changed:
            self.seen += 1
            self.open += 1
        try:
            yield
        finally:
            with self._changed:
                self.open -= 1

    def complete(self, request, context):
        del request, context
        with self._counted():
            return b""

    def generate(self, request, context):
        del request
        with self._counted():
            yield STARTED
            self._await_end(context)

    def watch(self, request, context):
        del request
        yield SERVING
        self._await_end(context)

    def _await_end(self, context):
        context.add_callback(self._wake)
        with self._changed:
            self._changed.wait_for(lambda: self._released or not context.is_active())

    def _wake(self):
        with self._changed:
            self._changed.notify_all()

    def release(self):
        """Ends all calls that wait, and those to come."""
        with self._changed:
            self._released = True
        self._wake()

    def stop(self):
        self.release()
        self._server.stop(None).wait()


class _Handler(grpc.GenericRpcHandler):
    """Gives each method its function. Messages are bytes."""

    def __init__(self, router):
        self._methods = {
            "/apollo.v1.InferenceService/Complete": grpc.unary_unary_rpc_method_handler(router.complete),
            "/apollo.v1.InferenceService/Generate": grpc.unary_stream_rpc_method_handler(router.generate),
            "/grpc.health.v1.Health/Check": grpc.unary_unary_rpc_method_handler(lambda request, context: SERVING),
            "/grpc.health.v1.Health/Watch": grpc.unary_stream_rpc_method_handler(router.watch)}

    def service(self, handler_call_details):
        return self._methods.get(handler_call_details.method)
