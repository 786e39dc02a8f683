#!/usr/bin/env python3
"""Tests apollo_client.py against routers in this process, which play scripts.

The messages are generated with protoc, as a user without grpcio-tools would.
"""

import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest

import grpc

HERE = pathlib.Path(__file__).absolute().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
GENERATED = tempfile.TemporaryDirectory()
subprocess.run(
    ["protoc", f"-I{ROOT}", f"--python_out={GENERATED.name}",
     *(str(ROOT / f"proto/apollo/v1/{name}.proto") for name in ("inference", "sampling"))],
    check=True)
sys.path.insert(0, GENERATED.name)

# pylint: disable=wrong-import-position
from proto.apollo.v1 import inference_pb2 as pb  # noqa: E402

import apollo_client  # noqa: E402

LOST = grpc.StatusCode.UNAVAILABLE


class FakeRouter:
    """A router; each call plays the next script, and the last one repeats."""

    def __init__(self, *scripts):
        self._scripts = scripts
        self._lock = threading.Lock()
        self.requests = []
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            "apollo.v1.InferenceService", {
                "Generate": grpc.unary_stream_rpc_method_handler(
                    self._generate, pb.GenerateRequest.FromString,
                    pb.GenerateResponse.SerializeToString),
                "Complete": grpc.unary_unary_rpc_method_handler(
                    self._complete, pb.GenerateRequest.FromString,
                    pb.CompleteResponse.SerializeToString)})])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self):
        """Ends all calls."""
        self._server.stop(None).wait()

    def _generate(self, request, context):
        with self._lock:
            script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
            self.requests.append(request)
        yield from script(context)

    def _complete(self, request, context):
        for _ in self._generate(request, context):
            pass
        return pb.CompleteResponse(choices=[pb.CompletedChoice(text="whole")])


def play(*events, code=None, pushback=None, request_id=None):
    """Returns a script that writes events, then ends with the status."""
    trailers = {"grpc-retry-pushback-ms": pushback, "x-request-id": request_id}

    def run(context):
        yield from events
        context.set_trailing_metadata([(key, value) for key, value in trailers.items() if value is not None])
        if code is not None:
            context.abort(code, "m")
    return run


def hang(context):
    """A script that waits until the client has gone."""
    gone = threading.Event()
    if not context.add_callback(gone.set):
        return  # It has gone before this thread ran.
    yield started()
    gone.wait()


def started():
    """Returns the first event of a stream."""
    return pb.GenerateResponse(started=pb.GenerateStarted(
        request_id="given-by-router", language="de", family=4, seed=99,
        numerics="cpu/f32+cpu/f32"))


def delta(index, text, choice=0):
    """Returns a token with the id 100 + index."""
    return pb.GenerateResponse(delta=pb.GenerateDelta(
        index=index, text=text, choice=choice, token_ids=[100 + index]))


def text(index, rest, choice=0):
    """Returns the end of a text, as it comes without tokens."""
    return pb.GenerateResponse(delta=pb.GenerateDelta(index=index, text=rest, choice=choice))


def finished(choice=0):
    """Returns the last event of a choice."""
    return pb.GenerateResponse(finished=pb.GenerateFinished(choice=choice))


class ClientTest(unittest.TestCase):
    """Calls of a client whose pauses are recorded."""

    def setUp(self):
        self.pauses = []

    def router(self, *scripts):
        """Returns a router that is stopped after the test."""
        router = FakeRouter(*scripts)
        self.addCleanup(router.stop)
        return router

    def client(self, *routers, **options):
        """Returns a client that is closed after the test."""
        client = apollo_client.Client([router.address for router in routers], pb,
                                      pause=self.pauses.append, random_number=lambda: 1.0, **options)
        self.addCleanup(client.close)
        return client

    def ask(self, client, request=None, **options):
        """Returns the kinds of the events, and the text."""
        events = list(client.generate(request or pb.GenerateRequest(), **options))
        return [event.WhichOneof("event") for event in events], "".join(e.delta.text for e in events)

    def test_continues_a_broken_answer_on_another_router(self):
        """Nothing is lost and nothing is shown twice."""
        first = self.router(play(started(), delta(0, "a"), delta(1, "b"), code=LOST))
        second = self.router(play(started(), delta(2, "c"), finished()), play(started(), finished()))
        client = self.client(first, second)
        kinds, text = self.ask(client, pb.GenerateRequest(prompt="p", max_new_tokens=3))
        self.assertEqual(kinds, ["started", "delta", "delta", "delta", "finished"])
        self.assertEqual(text, "abc")
        self.assertEqual(self.pauses, [])
        self.assertEqual(second.requests[0], pb.GenerateRequest(
            prompt="p", max_new_tokens=3, request_id="given-by-router", resume=pb.Resume(
                seed=99, language="de", family=4, numerics="cpu/f32+cpu/f32",
                choices=[pb.ResumedChoice(token_ids=[100, 101], text_bytes=2)])))
        self.ask(client)
        self.assertEqual((len(first.requests), len(second.requests)), (1, 2))

    def test_finished_choices_are_not_asked_for_again(self):
        """The request says which are finished."""
        router = self.router(play(started(), delta(0, "a", 1), finished(1), delta(0, "b")),
                             play(started(), delta(1, "c"), finished()))
        request = pb.GenerateRequest()
        request.sampling.choices = 2
        self.assertEqual(self.ask(self.client(router), request)[1], "abc")
        choices = router.requests[1].resume.choices
        self.assertEqual([list(choice.token_ids) for choice in choices], [[100], [100]])
        self.assertEqual([choice.finished for choice in choices], [False, True])

    def test_the_text_is_counted_in_bytes_over_all_streams(self):
        """Also text that comes without tokens."""
        router = self.router(play(started(), delta(0, "ä")), play(started(), delta(1, ""), text(2, "\ufffd")),
                             play(started(), finished()))
        self.assertEqual(self.ask(self.client(router))[1], "ä\ufffd")
        self.assertEqual([request.resume.choices[0].text_bytes for request in router.requests[1:]], [2, 5])

    def test_the_text_of_a_resumed_answer_is_counted_if_its_size_is_known(self):
        """Otherwise it stays unknown."""
        request = pb.GenerateRequest(resume=pb.Resume(choices=[
            pb.ResumedChoice(token_ids=[3]), pb.ResumedChoice(token_ids=[3], text_bytes=10)]))
        request.sampling.choices = 2
        record = apollo_client.AnswerRecord(request)
        for event in (started(), text(1, "abc"), text(1, "abc", choice=1)):
            self.assertTrue(record.take(event))
        choices = record.next_request().resume.choices
        self.assertFalse(choices[0].HasField("text_bytes"))
        self.assertEqual(choices[1].text_bytes, 13)

    def test_the_numerics_are_those_of_the_first_started_or_of_the_request(self):
        """A `started` that does not know them changes nothing."""
        unknown = pb.GenerateResponse(started=pb.GenerateStarted(seed=1))
        for request, events, numerics in [
                (pb.GenerateRequest(), [started(), unknown], "cpu/f32+cpu/f32"),
                (pb.GenerateRequest(resume=pb.Resume(numerics="c+d")), [unknown], "c+d")]:
            record = apollo_client.AnswerRecord(request)
            for event in events:
                record.take(event)
            self.assertEqual(record.next_request().resume.numerics, numerics)

    def test_a_request_that_has_not_started_is_repeated_as_a_whole(self):
        """After the time that the server asks for."""
        router = self.router(play(code=LOST, pushback="1234"), play(started(), finished()))
        self.assertEqual(self.ask(self.client(router))[0], ["started", "finished"])
        self.assertEqual(self.pauses, [1.234])
        self.assertFalse(router.requests[1].HasField("resume"))

    def test_a_break_behind_the_last_event_is_none(self):
        """All was received."""
        codes = grpc.StatusCode
        for code in [LOST, codes.CANCELLED, codes.INTERNAL, codes.DEADLINE_EXCEEDED]:
            with self.subTest(code=code):
                router = self.router(play(started(), finished(), code=code))
                self.assertEqual(self.ask(self.client(router))[0], ["started", "finished"])
                self.assertEqual(len(router.requests), 1)

    def test_a_refused_resume_fails(self):
        """Although all of its choices are finished."""
        router = self.router(play(code=grpc.StatusCode.INVALID_ARGUMENT))
        request = pb.GenerateRequest(resume=pb.Resume(choices=[pb.ResumedChoice(finished=True)]))
        with self.assertRaises(apollo_client.Error) as caught:
            self.ask(self.client(router), request)
        self.assertEqual(caught.exception.code, grpc.StatusCode.INVALID_ARGUMENT)

    def test_events_that_do_not_follow_are_not_shown(self):
        """A gap and a repetition."""
        router = self.router(play(started(), delta(0, "a"), delta(2, "x")), play(started(), delta(0, "y")),
                             play(started(), delta(1, "b"), finished()))
        self.assertEqual(self.ask(self.client(router))[1], "ab")

    def test_what_no_router_has_sent_is_repeated(self):
        """gRPC itself cancels a call that comes while a router begins to stop."""
        for code in [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED]:
            with self.subTest(code=code):
                router = self.router(play(code=code), play(started(), finished()))
                self.ask(self.client(router))
                self.assertEqual(len(router.requests), 2)
                itself = self.router(play(code=code, request_id="r"))
                with self.assertRaises(apollo_client.Error) as caught:
                    self.ask(self.client(itself))
                self.assertEqual(caught.exception.code, code)
                self.assertEqual(len(itself.requests), 1)

    def test_calls_of_a_closed_client_are_not_repeated(self):
        """gRPC ends them with CANCELLED, without x-request-id."""
        router = self.router(hang)
        client = self.client(router)
        with self.assertRaises(apollo_client.Error) as caught:
            for _ in client.generate(pb.GenerateRequest()):
                client.close()
        self.assertEqual(caught.exception.code, grpc.StatusCode.CANCELLED)

    def test_only_what_may_succeed_is_repeated(self):
        """By code and trailer."""
        codes = grpc.StatusCode
        for code, pushback in [(codes.INVALID_ARGUMENT, None), (codes.FAILED_PRECONDITION, None),
                               (codes.PERMISSION_DENIED, None), (codes.DEADLINE_EXCEEDED, None),
                               (codes.RESOURCE_EXHAUSTED, None), (LOST, "-1"), (LOST, "soon")]:
            with self.subTest(code=code, pushback=pushback):
                router = self.router(play(code=code, pushback=pushback))
                with self.assertRaises(apollo_client.Error) as caught:
                    self.ask(self.client(router))
                self.assertEqual(caught.exception.code, code)
                self.assertEqual(len(router.requests), 1)
        router = self.router(play(code=codes.RESOURCE_EXHAUSTED, pushback="5"), play(started(), finished()))
        self.ask(self.client(router))

    def test_attempts_without_progress_are_bounded(self):
        """The second attempt brings `started`."""
        router = self.router(play(code=LOST), play(started()), play(code=LOST))
        with self.assertRaises(apollo_client.Error):
            self.ask(self.client(router, max_attempts=3, first_pause=1.0, longest_pause=3.0))
        self.assertEqual(len(router.requests), 4)
        self.assertEqual(self.pauses, [1.0, 1.0, 2.0])

    def test_a_dead_router_costs_no_pause(self):
        """The next one is asked at once."""
        dead, router = self.router(play()), self.router(play(started(), finished()))
        client = self.client(dead, router)
        dead.stop()
        self.ask(client)
        self.assertEqual(self.pauses, [])

    def test_no_pause_goes_beyond_the_deadline(self):
        """The call ends with what happened."""
        router = self.router(play(code=LOST, pushback="3600000"))
        with self.assertRaises(apollo_client.Error) as caught:
            self.ask(self.client(router), timeout=600)
        self.assertEqual(caught.exception.code, LOST)

    def test_a_silent_router_is_left(self):
        """Long enough for the other one, however busy the machine is."""
        silent = self.router(hang)
        router = self.router(play(started(), delta(0, "a"), finished()))
        kinds, _ = self.ask(self.client(silent, router, idle_limit=3.0))
        self.assertEqual(kinds, ["started", "delta", "finished"])

    def test_the_user_cancels(self):
        """By closing the iterator, or from anywhere."""
        router = self.router(hang)
        client = self.client(router)
        events = client.generate(pb.GenerateRequest())
        next(events)
        events.close()
        cancellation = apollo_client.Cancellation()
        with self.assertRaises(apollo_client.Error) as caught:
            for _ in client.generate(pb.GenerateRequest(), cancellation=cancellation):
                cancellation.cancel()
        self.assertEqual(caught.exception.code, grpc.StatusCode.CANCELLED)
        with self.assertRaises(apollo_client.Error):
            client.complete(pb.GenerateRequest(), cancellation=cancellation)
        self.assertEqual(len(router.requests), 2)

    def test_unary_calls_are_repeated_as_a_whole(self):
        """With the same request."""
        router = self.router(play(code=LOST, pushback="7"), play())
        self.assertEqual(self.client(router).complete(pb.GenerateRequest()).choices[0].text, "whole")
        self.assertEqual(self.pauses, [0.007])


if __name__ == "__main__":
    unittest.main()
