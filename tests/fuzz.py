"""`python -m tests.fuzz`: thousands of broken jobs and disguised routes, given to a real proxy.

The SDK and the proxy are real, the platform is the emulator, the engine the stand-in. What is sent
follows from the seed alone. It ends with 1 where a job was lost, doubled or answered with something
that is neither an answer nor an error of ours, a refused route came to the engine, a traceback or a
secret was told or logged, or the proxy ended or grew.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from supervisor.settings.routes import INFERENCE
from tests import client
from tests.client import PATIENCE
from tests.endpoint import Platform
from tests.processes import FAKE_VLLM, free_port, until
from tests.proxy.test_process import Proxy

_AT_ONCE = 16
_MOST_GROWTH = 250.0  # MB, of which an answer of 20 MB takes some while it is read
_MOST_DESCRIPTORS = 60
_LATE = 0.1  # seconds between two looks at a job: of such the engine is asked whether it lives
_MOST_LINE = 4000  # characters of a line of the log
KEY, TOKEN = "fuzz-engine-key-5c1e", "hf_fuzzfuzzfuzzfuzz5c1e"
_SECRETS = (KEY, TOKEN, "emulator-key")

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
_FAKE = {"tokens": 3}
_ASK = [{"role": "user", "content": "hi"}]
_PARTS = [
    {"type": "text", "text": "what is this?"},
    {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/x"}},
]

#: Jobs that are sound, from which the broken ones are made.
SOUND: tuple[dict[str, Any], ...] = (
    {"prompt": "hi", "sampling_params": {"max_tokens": 3}, "fake": _FAKE},
    {"prompt": "hi", "stream": True, "max_batch_size": 5, "min_batch_size": 1, "fake": _FAKE},
    {"messages": _ASK, "stream": True, "sampling_params": {"n": 2, "top_k": 3}, "fake": _FAKE},
    {"messages": _ASK, "apply_chat_template": True, "model": "tiny", "fake": _FAKE},
    {"openai_route": CHAT, "openai_input": {"messages": _ASK, "stream": True, "fake": _FAKE}},
    {"openai_route": CHAT, "openai_input": {"messages": [{"role": "user", "content": _PARTS}]}},
    {
        "openai_route": CHAT,
        "openai_input": {
            "messages": _ASK,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
            "response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}},
            "logit_bias": {"5": 1},
            "stop": ["x"],
            "fake": _FAKE,
        },
    },
    {"openai_route": COMPLETIONS, "openai_input": {"prompt": ["a", "b"], "stream": True}},
    {"openai_route": COMPLETIONS, "openai_input": {"prompt": [1, 2], "best_of": 2, "fake": _FAKE}},
    {"route": "/v1/embeddings", "method": "POST", "body": {"input": ["a", "b"], "model": "tiny"}},
    {"route": "/tokenize", "body": {"prompt": "a b c"}},
    {"route": "/v1/models", "method": "GET"},
    {"route": "/v1/audio/transcriptions", "body": {"file": "UklGRg==", "language": "en"}},
    {"route": "/v1/rerank", "body": {"query": "a", "documents": ["b", {"content": _PARTS}]}},
)

#: Routes that are offered, that are not, and that an engine has beside these.
ROUTES = (
    *sorted(INFERENCE),
    *("/v1/models", "/v1/models/tiny", "/version", "/health", "/ping", "/v1/responses/resp_1"),
    *("/metrics", "/docs", "/openapi.json", "/load", "/invocations", "/fake", "/echo-request"),
    *("/sleep", "/wake_up", "/v1/load_lora_adapter", "/scale_elastic_ep", "/collective_rpc"),
    *("/reset_prefix_cache", "/start_profile", "/server_info", "/v1/responses/resp_1/cancel"),
)
_READS = {"/v1/models", "/version", "/health", "/ping"}
_VARYING = re.compile(r"/v1/models/[^/]+(/[^/]+)?|/v1/responses/resp_[A-Za-z0-9_-]+")
#: What the proxy and this program ask of the engine for themselves.
_OWN = {"/openapi.json", "/fake", "/health", "/version", "/v1/models"}


#: What routes are disguised with, parted by spaces.
_PIECES = (
    "/ // . .. /../ /./ \\ %2f %2e %00 %0d%0a ? ?x= # ; @ : ~ \t \n \r\n \x00 \u2215 \uff0f \u3002"
    " \u212a \u017f sleep metrics fake http:// //evil.example file:// openai /openai"
).split(" ")


def is_offered(path: str) -> bool:
    """Whether an engine may be asked for this path for a job."""
    if not {".", ".."}.isdisjoint(path.split("/")):
        return False
    return path in INFERENCE or path in _READS or bool(_VARYING.fullmatch(path))


# --- what is sent ---


@dataclass
class Dice:
    """Makes broken things; what it makes follows from the seed."""

    random: random.Random

    def job(self) -> Any:
        """The input of a job: a sound one, changed in a few places."""
        given = json.loads(json.dumps(self.random.choice(SOUND)))
        for _ in range(self.random.choice((0, 1, 1, 2, 3, 6))):
            given = self._changed(given)
        return given

    def raw(self, job: str) -> bytes:
        """A job as the platform would never write it; its id can be read."""
        text = json.dumps({"id": job, "input": self.job()}).encode()
        head = f'{{"id": "{job}", "input": '.encode()
        deep, digits = self.random.randint(1, 3000), self.random.randint(1, 8000)
        return self.random.choice(
            (
                lambda: text,
                lambda: head + b"[" * deep + b"]" * deep + b"}",
                lambda: head + b'{"prompt": "x", "n": ' + b"9" * digits + b"}}",
                lambda: head + b'{"prompt": "\xff\xfe\x80"}}',
                lambda: head + b'{"prompt": "x", "temperature": NaN}}',
                lambda: head + b'{"prompt": "x", "prompt": {"prompt": 1}}}',
                lambda: head + b"null}",
                f'{{"id": "{job}"}}'.encode,
            )
        )()

    def route(self) -> str:
        """A route, in a disguise as often as not."""
        route = self.random.choice(ROUTES)
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 3))):
            route = self._disguised(route)
        return route

    def _changed(self, given: Any) -> Any:
        """`given` with something else in one place; never where it says how the engine behaves."""
        places = list(_places(given)) if isinstance(given, dict | list) else []
        if not places:
            return self._junk()
        holder, key = self.random.choice(places)
        change = self.random.random()
        if change < 0.15 and isinstance(holder, dict):
            del holder[key]
        elif change < 0.25 and isinstance(holder, dict):
            holder[self._text()] = holder[key]
        elif change < 0.35:
            holder[key] = [holder[key]] * self.random.randint(1, 3)
        elif change < 0.45:
            holder[key] = {self._text(): holder[key]}
        else:
            holder[key] = self._junk()
        return given

    def _junk(self) -> Any:
        return self.random.choice(
            (
                lambda: None,
                lambda: self.random.choice((True, False)),
                lambda: self.random.choice((-1, 0, 1, 2, 7, -(2**70), 2**70, 10**400)),
                lambda: self.random.choice((0.5, -1e300, float("inf"), float("nan"))),
                self._text,
                self._text,
                lambda: [self._text(), self._text()],
                lambda: {self._text(): self._text()},
                list,
                dict,
                self._deep,
                self.route,
                lambda: "x" * self.random.randint(1, 200_000),
                lambda: list(range(self.random.randint(1, 5000))),
                lambda: "http://" + self._text() + "@169.254.169.254/" + self._text(),
            )
        )()

    def _deep(self) -> Any:
        inner: Any = self._text()
        for _ in range(self.random.randint(1, 400)):
            inner = [inner] if self.random.random() < 0.5 else {"x": inner}
        return inner

    def _text(self) -> str:
        return self.random.choice(
            (
                lambda: self.random.choice("prompt messages stream model n route body id".split()),
                lambda: self.random.choice(
                    ("true", "1e999", "null", "-0", "../..", "%s%n", "\x00")
                ),
                lambda: "".join(chr(self.random.randrange(0x20, 0x3000)) for _ in range(8)),
                lambda: "\ud83d" + "x" * self.random.randint(0, 3),
                lambda: "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
                lambda: "data: [DONE]\n\ndata: {}\n\n",
                lambda: f"Bearer {self.random.randbytes(8).hex()}",
                lambda: "Traceb\u0061ck (most recent call last)"[:9],
            )
        )()

    def _disguised(self, route: str) -> str:
        at = self.random.randint(0, len(route))
        piece = self.random.choice(_PIECES)
        change = self.random.random()
        if change < 0.4:
            return route[:at] + piece + route[at:]
        if change < 0.6:
            return piece + route
        if change < 0.75:
            return route + piece
        if change < 0.85:
            return route.swapcase() if self.random.random() < 0.5 else route[:at] + route[at + 1 :]
        if change < 0.95:
            encoded = f"%{ord(route[at - 1]) & 255:02x}" if route else "%2f"
            return route[: at - 1] + encoded + route[at:] if at else encoded + route
        return route + "/" + "x" * self.random.randint(1, 3000)


def _places(given: Any) -> Iterator[tuple[Any, Any]]:
    """Where something stands, in objects and lists; not in `fake`."""
    entries = given.items() if isinstance(given, dict) else enumerate(given)
    for key, value in list(entries):
        if key == "fake":
            continue
        yield given, key
        if isinstance(value, dict | list) and len(value) < 100:
            yield from _places(value)


# --- what comes back ---


@dataclass
class Outcome:
    """What became of them, and what is wrong with that."""

    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def took(self, what: str, found: dict[str, Any]) -> None:
        """A job has ended, or it has not."""
        state = str(found.get("status"))
        self.ends[state] += 1
        if state not in {"COMPLETED", "FAILED"}:
            self._is_wrong(what, f"it is {state}")
            return
        told = json.dumps(found, ensure_ascii=False)
        if found["done"] != 1:
            self._is_wrong(what, f"it was reported {found['done']} times")
        if "Traceback (" in told:
            self._is_wrong(what, "a traceback was told")
        if leaked := [secret for secret in _SECRETS if secret in told]:
            self._is_wrong(what, f"a secret was told: {leaked}")
        if state == "FAILED" and (fault := _fault(found.get("error"))):
            self._is_wrong(what, f"{fault}: {str(found.get('error'))[:200]}")

    def _is_wrong(self, what: str, why: str) -> None:
        self.wrong.append(f"{why}: {what[:300]!r}")


def _fault(error: Any) -> str | None:
    """What is wrong with a job's error; None where it is one of ours."""
    try:
        told = json.loads(error)
    except (TypeError, ValueError):
        return "an error that is no JSON"
    if not isinstance(told, dict) or set(told) != {"message", "type", "param", "code"}:
        return "an error that is no error object"
    if not isinstance(told["message"], str) or not 0 < len(told["message"]) < 3000:
        return "an error without a sentence"
    return None if isinstance(told["code"], int) else "an error without a code"


class Fuzz:
    """A proxy between an emulator and a stand-in, and jobs for it."""

    def __init__(self, platform: Platform, engine: str, proxy: Proxy, seed: int) -> None:
        self.outcome = Outcome()
        self._platform, self._engine, self._proxy, self._seed = platform, engine, proxy, seed
        self._http = httpx.Client(trust_env=False, verify=False, timeout=PATIENCE)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def jobs(self, count: int, name: str = "job") -> None:
        """So many broken jobs, others for another name."""
        self._all(count, name, self._job)

    def routes(self, count: int) -> None:
        """So many routes, most of them refused; none of these comes to the engine."""
        before = self._asked()
        self._all(count, "route", self._route)
        new = [path for path in self._asked() - before if not is_offered(path)]
        self.outcome.wrong += [f"the engine was asked for {path!r}" for path in set(new) - _OWN]

    def end(self) -> None:
        """A sound job is answered as ever, and the proxy stops in order."""
        job = self._platform.submit({"prompt": "hi", "sampling_params": {"max_tokens": 2}})
        self._platform.until(job, "COMPLETED")
        if (code := self._proxy.stop()) != 0:
            self.outcome.wrong.append(f"the proxy ended with {code}")
        log = self._proxy.log.read_text(errors="replace")
        if "Traceback (" in log:
            self.outcome.wrong.append(
                "a traceback was logged: " + log[log.index("Traceback (") :][:2000]
            )
        self.outcome.wrong += [f"a secret was logged: {each}" for each in _SECRETS if each in log]
        if (longest := max(map(len, log.splitlines()))) > _MOST_LINE:
            self.outcome.wrong.append(f"a line of the log has {longest} characters")

    def _all(self, count: int, kind: str, one: Callable[[Dice, str], None]) -> None:
        def numbered(number: int) -> None:
            name = f"{kind}-{number}"
            one(Dice(random.Random(f"{self._seed} {name}")), name)  # noqa: S311 - to be repeated

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(numbered, range(count)))

    def _job(self, dice: Dice, name: str) -> None:
        if dice.random.random() < 0.2:
            text = dice.raw(name)
            self._platform_post(f"/_emulator/raw/{name}", text)
            self._took(name, text[:300].decode(errors="replace"))
        else:
            self._submitted(dice.job())

    def _route(self, dice: Dice, _name: str) -> None:
        route = dice.route()
        form: dict[str, Any] = {"route": route, "body": {"prompt": "x", "fake": _FAKE}}
        if dice.random.random() < 0.5:
            form["method"] = dice.random.choice(("GET", "POST", "get", "PUT", "TRACE", "G\r\nET"))
        if dice.random.random() < 0.2:
            form = {"openai_route": route, "openai_input": {"messages": _ASK, "fake": _FAKE}}
        self._submitted(form)

    def _submitted(self, given: Any) -> None:
        content = json.dumps({"input": given}).encode()
        answer = self._platform_post("/v2/local/run", content)
        if "id" not in answer:
            self.outcome.ends["refused by the platform"] += 1
            return
        self._took(str(answer["id"]), content.decode())

    def _took(self, job: str, what: str) -> None:
        end, pause = time.monotonic() + PATIENCE, 0.005
        while True:
            found = self._http.get(f"{self._platform.root}/_emulator/jobs/{job}").json()
            if found["status"] not in {"IN_QUEUE", "IN_PROGRESS"} or time.monotonic() > end:
                break
            if pause > _LATE and not client.answers(f"{self._engine}/health"):
                break
            time.sleep(pause)
            pause = min(2 * pause, 0.2)
        self.outcome.took(what, found)

    def _platform_post(self, path: str, content: bytes) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        answer = self._http.post(f"{self._platform.root}{path}", content=content, headers=headers)
        told: Any = answer.json()
        return told if isinstance(told, dict) else {}

    def _asked(self) -> Counter[str]:
        return Counter(self._http.get(f"{self._engine}/fake").json())


@contextmanager
def engine() -> Iterator[str]:
    """A stand-in with a key."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, str(FAKE_VLLM), "serve", "tiny", "--host=127.0.0.1", f"--port={port}"],
        env={"VLLM_API_KEY": KEY},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: client.answers(f"{url}/health"), what="the stand-in")
            yield url
        finally:
            process.kill()


def run(jobs: int, routes: int, seed: int, folder: Path) -> Outcome:
    """All of it; what is wrong stands in the outcome."""
    secrets = {"VLLM_API_KEY": KEY, "HF_TOKEN": TOKEN}
    with (
        Platform("--worker-lost-seconds", "3600") as platform,
        engine() as url,
        Proxy(platform, url, folder / "log", MAX_CONCURRENCY="64", **secrets) as proxy,
        closing(Fuzz(platform, url, proxy, seed)) as fuzz,
    ):
        fuzz.jobs(jobs // 10, "first")
        before = proxy.size()
        fuzz.jobs(jobs)
        fuzz.routes(routes)
        if not proxy.alive:
            fuzz.outcome.wrong.append(f"the proxy ended with {proxy.process.poll()}")
            return fuzz.outcome
        after = proxy.size()
        if after[0] - before[0] > _MOST_GROWTH or after[1] - before[1] > _MOST_DESCRIPTORS:
            fuzz.outcome.wrong.append(f"the proxy grew from {before} to {after} (MB, descriptors)")
        print(f"the proxy: {before[0]:.0f} MB before, {after[0]:.0f} MB after")
        fuzz.end()
        return fuzz.outcome


def main() -> int:
    """Run it from a command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--routes", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    print(f"{asked.jobs} jobs, {asked.routes} routes; again: make fuzz ARGS='--seed {asked.seed}'")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(asked.jobs, asked.routes, asked.seed, Path(folder))
    print(f"ended: {dict(outcome.ends)}, in {time.monotonic() - began:.0f} s")
    print(f"wrong: {len(outcome.wrong)}")
    for each in outcome.wrong[:20]:
        print(f"  {each}")
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
