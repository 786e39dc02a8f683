"""Streams that can only say what is their own: each may use a few letters that no other one has."""

import threading

import grpc

# The letters of the tiny models' vocabulary, which begins with "!".
ALPHABETS = ["abcd", "efgh", "ijkl", "mnop", "qrst", "uvwx", "ABCD", "EFGH", "IJKL", "MNOP", "QRST", "UVWX"]


def token_of(letter):
    return ord(letter) - ord("!")


def request_of(messages, number, tokens):
    """Returns a request whose answer has only the letters of one alphabet, in an order that its seed determines."""
    request = messages.GenerateRequest(
        request_id=f"stream-{number}", prompt=f"Question number {number} of many, about {ALPHABETS[number]}?",
        max_new_tokens=tokens, ignore_eos=True)
    request.sampling.temperature = 1
    request.sampling.top_p = 1
    request.sampling.seed = 1000 + number
    for letter in ALPHABETS[number]:
        request.sampling.logit_bias[token_of(letter)] = 100
    return request


class Stream(threading.Thread):
    """Runs a request again and again until it is ended, at the routers in turn."""

    def __init__(self, apis, request):
        super().__init__(daemon=True)
        self._apis, self._request, self._ending = apis, request, threading.Event()
        self.answers, self.errors = [], []
        self.moved = threading.Event()  # A token has come since it was cleared.

    def once(self, api):
        text, ids = "", []
        for event in api.generate(self._request):
            if event.WhichOneof("event") == "delta":
                text += event.delta.text
                ids += event.delta.token_ids
                self.moved.set()
        return text, ids

    def run(self):
        turn = 0
        while not self._ending.is_set():
            api = self._apis[turn % len(self._apis)]
            turn += 1
            try:
                self.answers.append(self.once(api))
            except grpc.RpcError as error:
                self.errors.append(error)
                self._ending.wait(0.1)

    def end(self):
        self._ending.set()
