"""Requests that have a canary wherever a client can put one."""

import grpc


def _with_input(messages, canary, ids):
    """Yields requests with the canary in each field that is meant for text."""
    new = messages.GenerateRequest
    yield new(prompt=f"User:{canary}\nAssistant:", max_new_tokens=8)
    yield new(tokenized=messages.TokenizedInput(input_ids=ids), max_new_tokens=8)
    yield new(prompt="fever?", stop=[canary[:40]], max_new_tokens=8)
    turns = [messages.ChatMessage(role=messages.ROLE_SYSTEM, content=f"Answer about {canary}."),
             messages.ChatMessage(role=messages.ROLE_USER, content=canary)]
    yield new(chat=messages.Chat(messages=turns), max_new_tokens=8)
    several = new(prompt=canary, max_new_tokens=8, logprobs=2, prompt_logprobs=1)
    several.sampling.choices = 3
    yield several


def _wrong(messages, canary, ids):
    """Yields requests that are refused, and why."""
    new = messages.GenerateRequest
    yield "an unknown language", new(prompt=canary, language=canary)
    yield "an identifier with text", new(prompt=canary, request_id=canary)
    yield "a prompt that is too long", new(prompt=canary * 100)
    yield "too many new tokens", new(prompt=canary, max_new_tokens=500)
    yield "a stop string that is too long", new(prompt=canary, stop=[canary * 30])
    yield "a chat without a question", new(chat=messages.Chat(messages=[
        messages.ChatMessage(role=messages.ROLE_ASSISTANT, content=canary)]))
    yield "a chat without a role", new(chat=messages.Chat(messages=[messages.ChatMessage(content=canary)]))
    yield "a token outside the vocabulary", new(tokenized=messages.TokenizedInput(input_ids=[*ids, 1 << 30]))
    yield "an answer that does not continue", new(prompt=canary, max_new_tokens=200, resume=messages.Resume(
        choices=[messages.ResumedChoice(token_ids=ids, text_bytes=1 << 20)], numerics=canary))
    yield "a language of an answer that is unknown", new(prompt="x", resume=messages.Resume(
        choices=[messages.ResumedChoice(token_ids=ids)], language=canary))
    yield "what is not UTF-8", new(prompt=canary).SerializeToString().replace(canary.encode(),
                                                                            canary.encode()[:-1] + b"\xff")
    yield "what is no message", canary.encode()


def _others(messages, canary, ids):
    """Yields calls of the other methods: method, request, type of the response."""
    yield "Complete", messages.GenerateRequest(prompt=canary, max_new_tokens=4), "CompleteResponse"
    yield "Score", messages.ScoreRequest(prompt=canary, continuations=[canary, "no"]), "ScoreResponse"
    yield "Score", messages.ScoreRequest(prompt="x", continuations=[canary * 100]), "ScoreResponse"
    yield "Score", messages.ScoreRequest(tokenized=messages.TokenizedInput(input_ids=ids)), "ScoreResponse"
    yield "Tokenize", messages.TokenizeRequest(text=canary), "TokenizeResponse"
    yield "Tokenize", messages.TokenizeRequest(text=canary * 100_000), "TokenizeResponse"
    yield "Tokenize", b"\x0a\x7f" + canary.encode(), "TokenizeResponse"
    yield "DetectLanguage", messages.DetectLanguageRequest(text=canary), "DetectLanguageResponse"
    for method in ("GetModel", "GetStatus", "GetRouting"):
        yield method, canary.encode(), f"{method}Response"
    yield f"/apollo.v1.InferenceService/{canary.encode().hex()}", canary.encode(), "GetModelResponse"
    for method in ("Run", "Describe", "Watch"):
        yield f"/apollo.internal.v1.DenseWorkerService/{method}", canary.encode(), "GetModelResponse"
    yield "/apollo.internal.v1.LinkService/Connect", canary.encode(), "GetModelResponse"


def _as_metadata(canary):
    text = canary.encode().hex()
    # The state of a context counts only if its parent is well-formed.
    return (("x-note-bin", canary.encode()), ("x-note", text), ("traceparent", f"00-{text}"),
            ("tracestate", f"note={text}"))


def tell(api, canary, on_error, on_answer):
    """Sends the canary in every request, and waits for all ends. Passes on errors and (text, ids) of answers."""
    ids = list(api.call("Tokenize", api.messages.TokenizeRequest(text=canary), "TokenizeResponse").token_ids)
    for request in _with_input(api.messages, canary, ids):
        try:
            text, tokens = "", []
            for event in api.generate(request, metadata=_as_metadata(canary)):
                text += event.delta.text
                tokens += event.delta.token_ids
            on_answer(text, tokens)
        except grpc.RpcError as error:
            on_error("a request that is right", error)
    for name, request in _wrong(api.messages, canary, ids):
        try:
            for _ in api.generate(request, metadata=_as_metadata(canary)):
                pass
        except grpc.RpcError as error:
            on_error(name, error)
    call_others(api, canary, ids, on_error)
    return ids


def call_others(api, canary, ids, on_error):
    for method, request, response in _others(api.messages, canary, ids):
        try:
            api.call(method, request, response, metadata=_as_metadata(canary))
        except grpc.RpcError as error:
            on_error(method, error)


def leave_early(api, canary, on_error):
    """Lets a deadline pass, and cancels a call, in the middle of answers."""
    request = api.messages.GenerateRequest(prompt=canary, max_new_tokens=400, ignore_eos=True)
    try:
        for _ in api.generate(request, timeout=0.2):
            pass
    except grpc.RpcError as error:
        on_error("a deadline", error)
    stream = api.generate(request)
    for _ in zip(range(4), stream):
        pass
    stream.cancel()


def overload(api, canary, count, on_error):
    """Starts more calls at once than the router takes."""
    request = api.messages.GenerateRequest(prompt=canary, max_new_tokens=100, ignore_eos=True)
    streams = [api.generate(request) for _ in range(count)]
    for stream in streams:
        try:
            for _ in stream:
                pass
        except grpc.RpcError as error:
            on_error("overload", error)
