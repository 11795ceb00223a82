"""The page of the control port in a real browser, and a real worker behind it.

With SCREENSHOTS set to a folder, pictures of what is seen here are written into it.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.client import PATIENCE
from tests.conftest import Start
from tests.emulator.environment import worker_environment
from tests.endpoint import Platform
from tests.processes import Worker, until
from tools import programs

SCREENSHOTS = os.environ.get("SCREENSHOTS")
DESK, PHONE = (1280, 900), (390, 844)
MARKUP = "<img/src=x/onerror=alert(1)><b>bold</b>"
REFUSED = "vllm serve: error: argument --max-model-len: invalid value: 'x'"
#: Called before any script of the page: what its policy has refused is kept.
WATCHED = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = programs.browser()
    if path is None:
        assert "CI" not in os.environ
        pytest.skip("no Chromium here: python3 -m tools.programs says why")
    with sync_playwright() as playwright:
        # Chromium's own sandbox cannot be had by root, nor in most containers.
        one = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield one
        one.close()


class Seen:
    """A page that is open, and what went on in it."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.requests: list[str] = []
        self.said: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.add_init_script(WATCHED)
        self.origin = origin
        page.goto(f"{origin}/")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(message.text)

    def looks(self, name: str = "") -> None:
        """Its width fits, its policy was kept, nothing was asked for elsewhere; a picture of it."""
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert self.page.evaluate(width) == 0
        assert self.page.evaluate("violations") == []
        elsewhere = [url for url in self.requests if not url.startswith(("data:", self.origin))]
        assert elsewhere == []
        assert not [text for text in self.said if "Failed to load resource" not in text]
        if name and SCREENSHOTS:
            self.page.screenshot(path=Path(SCREENSHOTS, f"{name}.png"))


@contextmanager
def opened(
    browser: Browser, worker: Worker, size: tuple[int, int] = DESK, **options: Any
) -> Iterator[Seen]:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    expect.set_options(timeout=PATIENCE * 1000)
    try:
        yield Seen(context.new_page(), f"http://127.0.0.1:{worker.control_port}")
    finally:
        context.close()


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform("--poll-seconds", "600", "--worker-lost-seconds", "3600") as one:
        yield one


def streaming(tokens: int, rate: float) -> dict[str, Any]:
    fake = {"tokens": tokens, "rate": rate}
    body = {"model": "tiny", "prompt": "x", "stream": True, "fake": fake}
    return {"openai_route": "/v1/completions", "openai_input": body}


def test_a_ready_worker_under_load(browser: Browser, platform: Platform, start: Start) -> None:
    worker = start(**worker_environment(platform.root), SERVED_MODEL_NAME="tiny")
    worker.until_ready()
    with opened(browser, worker) as seen:
        page = seen.page
        expect(page.get_by_role("status").filter(has_text="Ready")).to_be_visible()
        if SCREENSHOTS:
            _load(platform, 120.0)
        jobs = [platform.submit(streaming(3000, 200)) for _ in range(4)]
        expect(page.locator("#jobs .value")).to_have_text("4")
        for title in ("Jobs in hand", "Tokens per second", "First token after", "KV cache in use"):
            chart = page.get_by_role("img", name=re.compile(rf"{title}, .*: now \d.*, at most \d"))
            expect(chart).to_be_visible()
        expect(page.locator("#totals")).to_contain_text("answered")
        expect(page.get_by_label("curl command", exact=True)).to_contain_text(
            f"{platform.url}/openai/v1/chat/completions"
        )
        seen.looks("page-ready")
        if SCREENSHOTS:
            page.emulate_media(color_scheme="dark")
            seen.looks("page-dark")
            page.emulate_media(color_scheme="light")
            page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
            seen.looks("page-phone")
        for job in jobs:
            platform.cancel(job)
        expect(page.locator("#jobs .value")).to_have_text("0")


def _load(platform: Platform, seconds: float) -> None:
    """More and fewer jobs for so long, of which a picture has something to show."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        jobs = 2 + round(6 * (1 + math.sin(left / 25)))
        waited = [platform.submit(streaming(150 + 10 * jobs, 45)) for _ in range(jobs)]
        for job in waited:
            platform.until(job, "COMPLETED")


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_callers_name_and_send_stays_text(
    browser: Browser, platform: Platform, start: Start, form: str
) -> None:
    given = {**worker_environment(platform.root), "LOG_CONTENT": "1", "LOG_FORMAT": form}
    worker = start(**given, SERVED_MODEL_NAME=MARKUP, HF_TOKEN="hf_abcdefghijklmnopqrs")
    worker.until_ready()
    with opened(browser, worker) as seen:
        page = seen.page
        job = platform.submit({"prompt": MARKUP, "sampling_params": {"max_tokens": 3}})
        platform.until(job, "COMPLETED")
        expect(page.get_by_role("log")).to_contain_text(MARKUP)
        expect(page.get_by_role("log")).to_contain_text("INFO proxy: job ")
        assert page.locator("#log p").filter(has_text='"ts": ').count() == 0
        for example in ("curl command", "Python example"):
            expect(page.get_by_label(example, exact=True)).to_contain_text(MARKUP)
        expect(page.get_by_role("cell", name=MARKUP, exact=True)).to_be_visible()
        assert page.locator("main :is(b, img)").count() == 0
        assert "hf_abcdef" not in page.content()
        seen.looks()


def test_a_start_is_watched_until_it_is_over(
    browser: Browser, start: Start, tmp_path: Path
) -> None:
    worker = start(FAKE_VLLM=f"log=3 wait-for={tmp_path / 'go'}")
    until(worker.ping)
    with opened(browser, worker) as seen:
        page = seen.page
        expect(page.get_by_role("status").filter(has_text="Starting")).to_be_visible()
        expect(page.locator("#doing")).to_have_text("importing")
        imports = page.get_by_role("row").filter(has_text="imports")
        expect(page.locator("#start-note")).to_contain_text("so far")
        expect(page.locator(".bar.runs")).to_have_count(1)
        before = imports.text_content()
        expect(imports).not_to_have_text(before or "")
        seen.looks()
        (tmp_path / "go").touch()
        expect(page.get_by_role("status").filter(has_text="Ready")).to_be_visible()
        expect(page.locator("#start-note")).to_contain_text("longest: imports")
        expect(page.locator(".bar.runs")).to_have_count(0)
        seen.looks()


def test_a_failed_worker_says_why_and_what_to_do_also_when_it_is_gone(
    browser: Browser, platform: Platform, start: Start
) -> None:
    wrong = {"FAKE_VLLM": "exit=2", "FAKE_VLLM_LINES": f"{MARKUP}\n{REFUSED}", "MAX_MODEL_LEN": "9"}
    worker = start(**worker_environment(platform.root), **wrong)
    until(worker.ping)
    with opened(browser, worker) as seen:
        page = seen.page
        expect(page.get_by_role("status").filter(has_text="Failed")).to_be_visible()
        expect(page.get_by_role("heading", name="Cause, and what to do")).to_be_visible()
        expect(page.locator("#cause-text")).to_contain_text("MAX_MODEL_LEN")
        expect(page.get_by_role("log")).to_contain_text(REFUSED)
        expect(page.locator("#start-note")).to_contain_text("the engine ended after")
        page.set_viewport_size({"width": DESK[0], "height": 560})
        seen.looks("page-failed")
        worker.stop()
        expect(page.locator(".link")).to_contain_text("no answer from the worker")
        expect(page.locator("#cause-text")).to_contain_text("MAX_MODEL_LEN")
        expect(page.get_by_role("status").filter(has_text="Failed")).to_be_visible()


def test_the_token_opens_it_and_stays_in_the_tab(browser: Browser, start: Start) -> None:
    worker = start(CONTROL_TOKEN="open-sesame-1")
    until(worker.ping)
    with opened(browser, worker) as seen:
        page = seen.page
        field = page.get_by_label("Token", exact=True)
        expect(field).to_be_focused()
        expect(page.get_by_role("main")).to_be_hidden()
        field.fill("another")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The worker has another token.")
        field.fill("open-sesame-1")
        page.get_by_role("button", name="Show the worker").click()
        expect(page.get_by_role("heading", name="Configuration")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="Configuration")).to_be_visible()
        assert "sesame" not in page.content()
        assert not [url for url in (*seen.requests, page.url) if "sesame" in url or "?" in url]
        assert page.evaluate("localStorage.length") == 0
        assert page.context.cookies() == []
        seen.looks()
        page.get_by_role("button", name="Forget the token").click()
        expect(field).to_be_visible()
        expect(page.get_by_role("main")).to_be_hidden()
        page.reload()
        expect(field).to_be_visible()


@pytest.mark.parametrize("how", ["forgotten", "refused"])
def test_without_the_token_nothing_of_the_worker_stays_in_the_page(
    browser: Browser, start: Start, how: str
) -> None:
    worker = start(CONTROL_TOKEN="open-sesame-1", SERVED_MODEL_NAME="our-model", MAX_MODEL_LEN="4k")
    worker.until_ready()
    with opened(browser, worker) as seen:
        page = seen.page
        before = without_scripts(page.content())
        field = page.get_by_label("Token", exact=True)
        for _ in range(2):  # it comes back, all of it
            field.fill("open-sesame-1")
            page.keyboard.press("Enter")
            expect(page.locator("#model")).to_have_text("tiny")
            expect(page.get_by_label("curl command", exact=True)).to_contain_text("our-model")
            expect(page.get_by_role("log")).to_contain_text("ready after")
            expect(page.get_by_label("Command", exact=True)).to_contain_text("--max-model-len")
            page.get_by_role("button", name="Copy the command").click()
            expect(page.locator("#said")).not_to_be_empty()
            assert "tiny" in page.title()
            if how == "forgotten":
                page.get_by_role("button", name="Forget the token").click()
            else:
                page.evaluate("sessionStorage.setItem('control-token', 'another')")
                page.evaluate(VISIBLE, False)
                page.evaluate(VISIBLE, True)
            expect(field).to_be_visible()
            assert page.title() == "vllm-supervisor"
            assert not re.search("tiny|our-model|max-model-len", page.content())
            assert len(without_scripts(page.content())) < len(before) + 200
        seen.looks()


def test_every_part_has_a_name_and_the_keyboard_reaches_all_that_can_be_used(
    browser: Browser, start: Start
) -> None:
    worker = start(VLLM_API_KEY="sk-Zq81mVbT0pLsWc")
    worker.until_ready()
    with opened(browser, worker) as seen:
        page = seen.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        for name in ("State", "Requests running", "Start", "Try it", "Log", "Configuration"):
            expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
        assert page.get_by_role("heading", level=1).all_text_contents() == ["State"]
        for name in ("part", "variable"):
            expect(page.get_by_role("columnheader", name=name)).to_be_visible()
        expect(page.get_by_role("rowheader", name="imports")).to_be_visible()
        for chart in page.get_by_role("img").all():
            assert "the last quarter of an hour" in (chart.get_attribute("aria-label") or "")
        reached: list[str] = []
        for _ in range(30):
            page.keyboard.press("Tab")
            name = page.evaluate(
                "(document.activeElement.ariaLabel ?? document.activeElement.textContent).trim()"
                ".slice(0, 40)"
            )
            if name == "Copy the curl command":
                page.keyboard.press("Enter")
            reached.append(name)
        curl = f"curl http://127.0.0.1:{worker.engine_port}/v1/chat"
        until(lambda: page.evaluate(CLIPBOARD).startswith(curl), what="the copy")
        assert '-H "Authorization: Bearer $VLLM_API_KEY"' in page.evaluate(CLIPBOARD)
        wanted = {"curl command", "Python example", "Command", "Settings", "Copy the command"}
        assert wanted <= set(reached)
        assert page.get_by_role("log").evaluate("one => one.tabIndex") == 0
        kept = page.locator("details", has_text="Kept in the environment")
        expect(kept.get_by_text("VLLM_API_KEY", exact=True)).to_be_hidden()
        kept.locator("summary").press("Enter")
        expect(kept.get_by_text("VLLM_API_KEY", exact=True)).to_be_visible()
        assert "sk-Zq81" not in page.content()
        seen.looks()


def test_a_tab_that_nobody_sees_costs_the_worker_nothing(browser: Browser, start: Start) -> None:
    worker = start()
    worker.until_ready()

    def watched() -> int:
        return sum(
            each.laddr.port == worker.control_port and each.status == psutil.CONN_ESTABLISHED
            for each in psutil.Process(worker.process.pid).net_connections("tcp")
        )

    with opened(browser, worker) as seen:
        page = seen.page
        expect(page.locator("#link")).to_have_text("live")
        assert watched()
        page.evaluate(VISIBLE, False)
        expect(page.locator("#link")).to_have_text("paused")
        asked = len(seen.requests)
        until(lambda: not watched(), what="the end of the stream")
        assert len(seen.requests) == asked
        page.evaluate(VISIBLE, True)
        expect(page.locator("#link")).to_have_text("live")
        seen.looks()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browser: Browser, start: Start, scheme: Any) -> None:
    """Also with long words in it, and nothing that is read is too small or too pale."""
    long = "a" * 400
    worker = start(SERVED_MODEL_NAME=long, CHAT_TEMPLATE_CONTENT_FORMAT="auto", MAX_MODEL_LEN="4k")
    worker.until_ready()
    with opened(browser, worker, PHONE, color_scheme=scheme) as seen:
        expect(seen.page.locator("#link")).to_have_text("live")
        expect(seen.page.get_by_role("heading", name="Configuration")).to_be_visible()
        seen.looks()
        pale = seen.page.evaluate(CONTRAST)
        assert pale == []


def without_scripts(content: str) -> str:
    """What a page says, and the words that mark it up."""
    return re.sub(r"<(script|style)>.*?</\1>", "", content, flags=re.DOTALL)


CLIPBOARD = "navigator.clipboard.readText()"
#: What a browser does with a tab that comes to the front, or goes.
VISIBLE = """(visible) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => !visible });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
#: Each text whose colour has less than 4.5 times the light, or the dark, of what is behind it.
CONTRAST = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => parts(colour).slice(0, 3)
    .map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if ((parts(colour)[3] ?? 1) === 1) return colour;
    }
    return getComputedStyle(document.documentElement).backgroundColor;
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility()) continue;
    const [one, two] = [light(getComputedStyle(node).color), light(behind(node))];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (contrast < 4.5) found.push([node.textContent.slice(0, 30), contrast]);
  }
  return found;
}"""
