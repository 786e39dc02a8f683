"""Calls of several callers in several languages, for tests of metrics."""

import base64
import hashlib
import hmac
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import grpc

GENERATED = tempfile.TemporaryDirectory()
subprocess.run(["protoc", "-I.", f"--python_out={GENERATED.name}",
                *(f"proto/apollo/v1/{name}.proto" for name in ("inference", "sampling"))], check=True)
sys.path.insert(0, GENERATED.name)
from proto.apollo.v1 import inference_pb2 as pb  # noqa: E402

QUESTIONS = {
    "ar": "هل الحزام الناري معد؟", "de": "Ist Gürtelrose ansteckend?", "en": "Should gallstones be removed?",
    "es": "¿El herpes zóster se contagia?", "fr": "Le zona est-il contagieux ?", "ha": "Jaririna yana amai sosai",
    "he": "האם שלבקת חוגרת מדבקת?", "hi": "बच्चा बार-बार उल्टी करता है", "ja": "めまいが止まりません",
    "ko": "통풍은 왜 생기나요?", "mg": "Mandoa ny zanako", "ru": "Опоясывающий лишай заразен?",
    "sw": "Mtoto wangu anatapika sana", "th": "โรคเกาต์ห้ามกินอะไร", "vi": "Bị chó cắn phải làm sao?",
    "zh": "带状疱疹会传染吗",
}
ISSUER, AUDIENCE, KEY = "https://login.example.org", "apollo", hashlib.sha256(pathlib.Path(GENERATED.name).name.encode())
# Who calls, and the streams that each may have. The last one asks for more than it may.
CALLERS = {"clinic-a": 16, "clinic-b": 16, "portal": 16, "research": 1}


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def keys():
    """Returns a JSON Web Key Set with the key of the callers' tokens."""
    return {"keys": [{"kty": "oct", "alg": "HS256", "kid": "load", "k": _base64(KEY.digest())}]}


def policy():
    """Returns a policy with the callers."""
    return {"version": 1, "callers": [
        {"name": name, "role": "client", "limits": {"streams": streams, "tokens_per_second": 1000000},
         "identities": {"tokens": [{"issuer": ISSUER, "audience": AUDIENCE, "subject": name}]}}
        for name, streams in CALLERS.items()]}


def _token(caller):
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": caller, "exp": int(time.time()) + 3600}
    signed = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "load"}, claims))
    return f"{signed}.{_base64(hmac.digest(KEY.digest(), signed.encode(), 'sha256'))}"


def _request(number):
    """Returns the request with a number: each gets the same at any time."""
    language = sorted(QUESTIONS)[number % len(QUESTIONS)]
    turn = (number + number // len(QUESTIONS)) % 4  # Each language has each in turn.
    request = pb.GenerateRequest(prompt=f"{QUESTIONS[language]} {number}", ignore_eos=number % 3 != 0,
                                 max_new_tokens=20 + 37 * number % 300)
    request.sampling.temperature = 1
    if turn != 3:
        request.language = language
    if turn != 2:
        request.routing = pb.ROUTING_MODE_HYBRID
    return request


class Load:
    """Calls until it is ended. `each` is the number of calls that a caller has at a time, `pause` the seconds between
    two. Calls that fail are part of it."""

    def __init__(self, address, each=1, pause=0.1):
        self._ended, self._pause, self._numbers = threading.Event(), pause, itertools.count()
        self._channel = grpc.insecure_channel(address)
        self._generate = self._channel.unary_stream("/apollo.v1.InferenceService/Generate",
                                                    request_serializer=pb.GenerateRequest.SerializeToString,
                                                    response_deserializer=pb.GenerateResponse.FromString)
        self._threads = [threading.Thread(target=self._call, args=(caller,)) for caller, streams in CALLERS.items()
                         for _ in range(each if streams > each else streams + 1)]
        for thread in self._threads:
            thread.start()

    def _call(self, caller):
        metadata = (("authorization", f"Bearer {_token(caller)}"),)
        while not self._ended.wait(self._pause):
            call = self._generate(_request(next(self._numbers)), timeout=60, metadata=metadata)
            try:
                for _ in call:
                    if self._ended.is_set():
                        call.cancel()
            except grpc.RpcError:
                self._ended.wait(0.1)

    def end(self):
        """Cancels the calls in progress."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._channel.close()
