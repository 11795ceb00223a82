"""A stand-in for `vllm`, for tests of what the real one cannot do on demand.

Started as `python tests/fake_vllm serve MODEL --host=... --port=... [any other flags]`. It reads
`--host`, `--port` (0: any; the log says which), `--served-model-name`, `--shutdown-timeout`,
`--disable-fastapi-docs`, without which it serves `/openapi.json`, and `--headless`, with which it
opens no port and never ends by itself, but with 0 when its core does.
Token i is the text f" w{i}" with the id i, one token per event, so order and completeness show. An
open turn, or a prompt, that ends with one of them is gone on with after it.

The process behaves as the words in the environment variable FAKE_VLLM say, parted by blanks:

    start=SECONDS         delay before it listens
    wait-for=PATH         the same, until there is a file of that name
    hang-start            never listens, after the lines of FAKE_VLLM_LINES on stderr
    exit=CODE             ends during its start, after the lines of FAKE_VLLM_LINES on stderr
    fail-starts=N         only the first N starts end so (with 1 without `exit`); FAKE_VLLM_STATE
                          names the file that counts the starts
    exit-after=SECONDS    ends with 1 that long after it was ready, after the same lines
    ignore-term           SIGTERM does nothing
    stop-time=SECONDS     goes on that long after SIGTERM
    orphan                starts a child in its process group that ignores SIGTERM, as EngineCore
                          might; the log says `orphan PID`. It ends by itself after five minutes
    daemon                the same, in a session of its own, as Ray starts its own
    eat                   takes memory until there is no more
    log=N, log-flood      N log lines before it listens; lines without end
    access-log            a line for each answer, as uvicorn writes it
    health=CODE           what `/health` answers
    slow-health[=SECONDS] `/health` takes that long (30)
    core                  has a process as vLLM has its EngineCore; the log says `core PID`.
                          When that ends, so do requests: the lines of FAKE_VLLM_LINES, then
                          `/health` and what comes say it. It goes on to listen
    core-health=CODE      what `/health` answers then (500, as in 0.10; 503 in later versions)
    core-end=SECONDS      ends with 1 that long after its core
    stall                 no request gets a token, while `/health` answers: a hung EngineCore
    core-died=CODE        EngineCore is dead: every request fails with that code, a stream in an
                          event: 400 up to vLLM 0.13, 500 since then. `health` is said beside it

FAKE_VLLM_DONE names a file that gets one line, the request's field "user", for each request that
was answered to its end.

Lines that look like those of vLLM's logger begin with VLLM_LOGGING_PREFIX, as in vLLM.

`POST /fake` with such words as its body replaces health, slow-health, stall and core-died while it
runs, and `exit-after` ends it. `GET /fake` says how often each path was asked for.
Unknown routes get `{"detail": "Not Found"}` and a missing key `{"error": "Unauthorized"}`, which is
what vLLM 0.32 answers; VLLM_API_KEY makes it ask for the key on `/v1`. Without
`--shutdown-timeout=SECONDS` SIGTERM ends it at once, with 0; with it, running requests are finished
first and new ones get 503.

`/v1/messages` answers in Anthropic's form; of what a request says below it knows `tokens`, `rate`,
`text`, `first_token_s`, `error_after`, `cut_after`, `hang_after`, `status` and `message`.

The audio routes read a multipart form and answer with what was in it. Pictures, audio and video
that a chat names by their address are fetched from there, and dropped.

A request behaves as its body's field "fake" says, or "fake" in its "metadata", which vLLM does not
read (an unknown name in it is a 400):

    tokens: N             how many; else the pieces of `text`, else `max_tokens`, else 16
    rate: N               tokens/s; 0, the default, is as fast as possible
    first_token_s: S      delay before the first event; the HTTP headers come at once
    wait_for: PATH        the same, until there is a file of that name
    text: "..."           the answer, a token per word
    half_character: true  tokens end in a character of several bytes, cut over two TCP writes
    split_events: true    events torn over TCP writes, also inside the line ends
    merge_events: N       N events to one TCP write
    crlf: true            lines end in CRLF
    keepalive: true       a comment `: ping` before each event, and every 0.1 s of a pause
    event_names: true     an `event:` line before each `data:` line
    big: BYTES            one event (the first token's) that large
    wide: BYTES           each token's text that large, whatever `text` says
    error_after: N        after N tokens `data: {"error": ...}`, then `[DONE]`
    cut_after: N          after N tokens the socket closes, in the middle of the HTTP body
    cut_when: PATH        and not before there is a file of that name
    hang_after: N         silence after N tokens (with `keepalive`: comments)
    prints: "..."         is printed past the logger, as it is: a library repeats what it is sent
    logs: "..."           is an error of the server's logger, each line with its prefix
    kill: true            ends the process where its first token would be, after FAKE_VLLM_LINES
    hang: true            never answers, not even with headers
    no_done: true         the body ends in order, without `[DONE]`
    no_open_turn: true    the template refuses to go on with an answer (`continue_final_message`)
    status: CODE          that status with vLLM's error body; `message` is its text, `body`
                          replaces it as it is, `location` is the header of a redirect
    beside: {...}         what a chat's message has beside its text: `reasoning`, `tool_calls`;
                          streamed before it, each object of a list and each word in a delta

`/tokenize` has a token for each word, and a chat's prompt is the words of its messages. In an open
turn its template does not go on with an answer but begins another one where the chat's
`chat_template_kwargs` say so:

    closes_turn: true     the turn is ended behind what is in it
    thinks_before: true   a thought without words stands before it
    enable_thinking: false
                          one stands where the answer begins, so that both prompts are alike

`process` is its life up to the moment when it listens, `words` what it is told for that. `engine`
has the routes, `openapi` says what they take, `answers` and `messages` write the answers, `audio`
reads forms,
`media` fetches, `generation` says what is in the answers, `wire` how they are cut into TCP writes,
`log` writes its lines. The folder runs wherever it is copied to; it needs aiohttp and nothing of
ours.
"""
