"""A client of a cluster with several routers.

Neither a router nor a worker that dies costs a token of an answer: the client
continues it on another router. docs/clients.md describes it; clients/cpp has the
same for C++.

Needs grpcio and protobuf, and the messages of proto/apollo/v1/inference.proto:
either generated (`protoc --python_out=. proto/apollo/v1/*.proto`, then
`from proto.apollo.v1 import inference_pb2`), or made at run time by
`grpc.protos("proto/apollo/v1/inference.proto")`, which needs grpcio-tools.

    client = Client(["router-0:50051", "router-1:50051"], inference_pb2)
    for event in client.generate(request, timeout=60):
        print(event.delta.text, end="", flush=True)
"""

import contextlib
import queue
import random
import threading
import time

import grpc

# Far above what any server takes (docs/api.md).
MOST_CHOICES = 1024
_SERVICE = "/apollo.v1.InferenceService/"


class Error(Exception):
    """A call that has failed; `code` is a grpc.StatusCode."""

    def __init__(self, code, details):
        super().__init__(f"{code.name}: {details}")
        self.code = code
        self.details = details


class Cancellation:
    """Ends calls from another thread: all that were given it, now and later."""

    def __init__(self):
        self._changed = threading.Condition()
        self._cancelled = False
        self._calls = []

    def cancel(self):
        """The calls end with CANCELLED."""
        with self._changed:
            self._cancelled = True
            calls = list(self._calls)
            self._changed.notify_all()
        for call in calls:
            call.cancel()

    def cancelled(self):
        """Returns whether cancel() was called."""
        with self._changed:
            return self._cancelled

    def pause(self, seconds):
        """For Client: waits, but not once cancelled."""
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled, seconds)

    def add(self, call):
        """For Client: a call that is cancelled too, until remove()."""
        with self._changed:
            self._calls.append(call)
            late = self._cancelled
        if late:
            call.cancel()

    def remove(self, call):
        """For Client: the call has ended."""
        with self._changed:
            self._calls.remove(call)


class _WrongEvent(Exception):
    """An event does not follow those before it."""


class AnswerRecord:
    """What has been received of an answer, over all streams that it took.

    It tells which events are new, and makes the request that continues the
    answer. A request that resumes an answer already continues from there. It
    should give the `text_bytes` of its choices: without them, text that comes
    without tokens comes again after a break.
    """

    def __init__(self, request):
        self._request = type(request)()
        self._request.CopyFrom(request)
        self._resume = type(request.resume)()
        self._resume.CopyFrom(request.resume)
        self._started = False
        self._next_prompt_token = 1
        while len(self._resume.choices) < min(max(1, request.sampling.choices), MOST_CHOICES):
            self._resume.choices.add()

    def next_request(self):
        """Returns the request for the next stream."""
        request = type(self._request)()
        request.CopyFrom(self._request)
        if self._started:
            request.resume.CopyFrom(self._resume)
        return request

    def complete(self):
        """Returns whether a stream has begun and all choices are finished: however its stream ends then."""
        return self._started and all(choice.finished for choice in self._resume.choices)

    def take(self, event):
        """Takes the next event of the current stream; returns whether it is new.

        Of pieces of the prompt's log-probabilities, `event` keeps what is new.
        Raises _WrongEvent, and keeps nothing, if it does not follow.
        """
        kind = event.WhichOneof("event")
        if kind == "started":
            return self._take_started(event.started)
        if not self._started:
            raise _WrongEvent("an event came before `started`")
        if kind == "delta":
            choice = self._choice(event.delta.choice)
            if event.delta.token_ids and event.delta.index != len(choice.token_ids):
                raise _WrongEvent(
                    f"a delta of choice {event.delta.choice} begins with token {event.delta.index}; "
                    f"the next one is {len(choice.token_ids)}")
            # If the request gave tokens without the size of their text, it is unknown.
            if choice.HasField("text_bytes") or not choice.token_ids:
                choice.text_bytes += len(event.delta.text.encode())
            choice.token_ids.extend(event.delta.token_ids)
        elif kind == "finished":
            self._choice(event.finished.choice).finished = True
        elif kind == "prompt_logprobs":
            return self._take_prompt_logprobs(event.prompt_logprobs)
        return True

    def _take_started(self, started):
        if self._started:
            return False
        self._started = True
        self._resume.seed = started.seed
        self._resume.language = started.language
        self._resume.family = started.family
        # A router that does not know them does not lift the request's own.
        if started.numerics:
            self._resume.numerics = started.numerics
        if not self._request.request_id:
            self._request.request_id = started.request_id
        return True

    def _choice(self, number):
        if number >= len(self._resume.choices) or self._resume.choices[number].finished:
            raise _WrongEvent(f"an event is for choice {number}, which gets none")
        return self._resume.choices[number]

    def _take_prompt_logprobs(self, piece):
        known = min(max(self._next_prompt_token - piece.index, 0), len(piece.token_ids))
        if known == len(piece.token_ids):
            return False
        del piece.token_ids[:known]
        del piece.logprobs[:known]
        piece.index += known
        self._next_prompt_token = piece.index + len(piece.token_ids)
        return True


def _retry(error):
    """Returns (whether a failed call is repeated, the server's pause or None)."""
    trailers = dict(error.trailing_metadata() or ())
    pause = None
    if "grpc-retry-pushback-ms" in trailers:
        try:
            pause = int(trailers["grpc-retry-pushback-ms"]) / 1000
        except ValueError:
            pause = -1
        if pause < 0:
            return False, None
    elif trailers.get("retry-after", "").isdigit():
        pause = float(trailers["retry-after"])
    code = error.code()
    if code == grpc.StatusCode.UNAVAILABLE:
        return True, pause
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return pause is not None, pause
    if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED):
        # No server of the cluster has sent it: something between has cut the call, or gRPC itself has, because the
        # call came while the server began to stop.
        return "x-request-id" not in trailers, pause
    return False, None


class _Attempts:
    """Counts the attempts of one call, and chooses their routers and pauses."""

    def __init__(self, client, timeout, cancellation):
        self._client = client
        self._cancellation = cancellation
        self._end = None if timeout is None else time.monotonic() + timeout
        self._failures = 0
        self.router = client.next_router

    def left(self):
        """Returns the seconds until the deadline, or None."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def check_cancelled(self):
        """Raises if the user has cancelled the call."""
        if self._cancellation is not None and self._cancellation.cancelled():
            raise Error(grpc.StatusCode.CANCELLED, "cancelled by the client")

    def progressed(self):
        """The attempt brought something new."""
        self._failures = 0
        self._client.next_router = self.router

    def next(self, error, wanted, wish):
        """Waits for the next attempt, on the next router, or raises `error`."""
        self.check_cancelled()
        self._failures += 1
        if not wanted or self._client.closed or self._failures >= self._client.max_attempts:
            raise error
        self.router = (self.router + 1) % self._client.router_count
        pause = self._own_pause() if wish is None else wish
        if self._end is not None and time.monotonic() + pause >= self._end:
            raise error
        if pause <= 0:
            return
        if self._client.pause is not None:
            self._client.pause(pause)
        elif self._cancellation is not None:
            self._cancellation.pause(pause)
        else:
            time.sleep(pause)
        if self._client.closed:
            raise error

    def _own_pause(self):
        rounds, rest = divmod(self._failures, self._client.router_count)
        if rest:
            return 0.0
        longest = min(self._client.first_pause * 2 ** (rounds - 1), self._client.longest_pause)
        return longest * (0.5 + 0.5 * self._client.random())


class Client:
    """A client of several routers.

    Thread-safe: any number of calls may run at once. Close it, or use it in
    `with`, to drop its connections.
    """

    def __init__(self, routers, messages, *, max_attempts=6, first_pause=0.2, longest_pause=10.0,
                 idle_limit=None, keepalive_time=20.0, keepalive_timeout=10.0, credentials=None,
                 pause=None, random_number=random.random):
        """Connects when needed. Times are in seconds.

        Args:
          routers: at least one "host:port" or other gRPC target, such as
            "dns:///name:port". The addresses of one target are used in turn. A
            client begins with a random router, and stays with the one that served
            it last.
          messages: the module with the messages of inference.proto.
          max_attempts: attempts in a row that bring nothing new, after which a
            call fails.
          first_pause: the pause after all routers have failed once. It doubles
            each time, up to longest_pause. Pauses are random, from half of this to
            this. One that the server asks for is kept instead.
          longest_pause: see first_pause.
          idle_limit: `generate` takes a router that sends no event for this time
            for lost; None: never. It must exceed the time that requests wait in
            queues.
          keepalive_time: pings while there are calls.
          keepalive_timeout: the time within which pings are answered.
          credentials: of grpc.secure_channel; None: no encryption.
          pause: for tests; called instead of waiting.
          random_number: for tests.
        """
        if not routers:
            raise ValueError("no router is given")
        options = [
            ("grpc.keepalive_time_ms", int(keepalive_time * 1000)),
            ("grpc.keepalive_timeout_ms", int(keepalive_timeout * 1000)),
            # A router that is back is used again soon. Attempts are counted here only.
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.min_reconnect_backoff_ms", 1000),
            ("grpc.max_reconnect_backoff_ms", 5000),
            ("grpc.enable_retries", 0),
            ("grpc.lb_policy_name", "round_robin"),
        ]
        self._messages = messages
        self.closed = False
        self._channels = [
            grpc.insecure_channel(router, options) if credentials is None
            else grpc.secure_channel(router, credentials, options) for router in routers]
        self.router_count = len(self._channels)
        # The one that served last; clients begin with different ones.
        self.next_router = int(random_number() * self.router_count) % self.router_count
        self.max_attempts = max_attempts
        self.first_pause = first_pause
        self.longest_pause = longest_pause
        self.idle_limit = idle_limit
        self.pause = pause
        self.random = random_number

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Drops the connections; calls that run fail."""
        self.closed = True
        for channel in self._channels:
            channel.close()

    def generate(self, request, timeout=None, cancellation=None):
        """Returns an iterator over the events of the answer.

        They come as if one stream had brought them: `started` once, no token or
        text twice, each choice's tokens without a gap. A stream that breaks is
        continued from where it broke, on the next router. A request without an id
        or a seed keeps those of its first `started`. Closing the iterator cancels
        the call. `timeout` is that of the whole call, in seconds.

        Once each choice has finished, it does not matter what the stream ends with.
        Raises Error: DATA_LOSS if streams ended with OK, but were incomplete or
        wrong, max_attempts times; otherwise the status of the last attempt.
        """
        record = AnswerRecord(request)
        attempts = _Attempts(self, timeout, cancellation)
        while True:
            attempts.check_cancelled()
            wanted, wish = True, None
            try:
                stream = self._stream(record.next_request(), attempts, cancellation)
                with contextlib.closing(stream):
                    for event in stream:
                        if record.take(event):
                            attempts.progressed()
                            yield event
                error = Error(grpc.StatusCode.DATA_LOSS,
                              "the stream ended before its choices were finished")
            except _WrongEvent as wrong:
                error = Error(grpc.StatusCode.DATA_LOSS, str(wrong))
            except queue.Empty:
                error = Error(grpc.StatusCode.UNAVAILABLE,
                              "the router sent nothing within the idle limit")
            except grpc.RpcError as failure:
                error = Error(failure.code(), failure.details())
                wanted, wish = _retry(failure)
            # How the stream ended does not matter once all was received.
            if record.complete():
                return
            attempts.next(error, wanted, wish)

    def complete(self, request, timeout=None, cancellation=None):
        """Returns the CompleteResponse. The call is repeated as a whole."""
        return self._unary("Complete", self._messages.CompleteResponse, request, timeout,
                           cancellation)

    def score(self, request, timeout=None, cancellation=None):
        """Returns the ScoreResponse. The call is repeated as a whole."""
        return self._unary("Score", self._messages.ScoreResponse, request, timeout, cancellation)

    def _stream(self, request, attempts, cancellation):
        """Yields the events of one stream; cancels it if it is left early."""
        call = self._channels[attempts.router].unary_stream(
            _SERVICE + "Generate", request_serializer=type(request).SerializeToString,
            response_deserializer=self._messages.GenerateResponse.FromString)(
                request, timeout=attempts.left())
        if cancellation is not None:
            cancellation.add(call)
        try:
            yield from call if self.idle_limit is None else _watched(call, self.idle_limit)
        finally:
            call.cancel()
            if cancellation is not None:
                cancellation.remove(call)

    def _unary(self, method, response, request, timeout, cancellation):
        attempts = _Attempts(self, timeout, cancellation)
        while True:
            attempts.check_cancelled()
            call = self._channels[attempts.router].unary_unary(
                _SERVICE + method, request_serializer=type(request).SerializeToString,
                response_deserializer=response.FromString).future(request, timeout=attempts.left())
            if cancellation is not None:
                cancellation.add(call)
            try:
                result = call.result()
                attempts.progressed()
                return result
            except grpc.FutureCancelledError:
                attempts.check_cancelled()
                raise
            except grpc.RpcError as failure:
                wanted, wish = _retry(failure)
                attempts.next(Error(failure.code(), failure.details()), wanted, wish)
            finally:
                if cancellation is not None:
                    cancellation.remove(call)


def _watched(call, limit):
    """Yields the events of a call; raises queue.Empty if one takes too long."""
    events = queue.Queue()

    def read():
        try:
            for event in call:
                events.put(("event", event))
            events.put(("end", None))
        except grpc.RpcError as error:
            events.put(("error", error))

    threading.Thread(target=read, daemon=True).start()
    while True:
        kind, value = events.get(timeout=limit)
        if kind == "end":
            return
        if kind == "error":
            raise value
        yield value
