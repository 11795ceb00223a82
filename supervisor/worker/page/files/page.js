"use strict";
// What the worker says comes in as text and goes out as text nodes: nothing of it becomes markup.
(() => {
  const QUARTER = 900; // seconds
  const KEY = "control-token";
  const LINES_MOST = 500;
  const RETRY = [1, 2, 4, 8, 10]; // seconds

  // --- the document ---

  const at = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";

  function made(tag, options = {}, ...inside) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (name === "class") node.className = value;
      else node.setAttribute(name, value);
    }
    node.append(...inside.filter((one) => one !== null && one !== undefined));
    return node;
  }

  function drawn(tag, options) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(options)) node.setAttribute(name, value);
    return node;
  }

  function say(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function pair(name, value) {
    return made("div", {}, made("dt", {}, name), made("dd", {}, value));
  }

  // --- figures as people read them ---

  function lasted(seconds) {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  }

  const count = (n) => n.toLocaleString("en", { maximumFractionDigits: 0 });
  const rate = (n) => (n < 100 ? n.toFixed(n < 10 ? 1 : 0) : count(n));
  const wait = (s) => (s < 1 ? [String(Math.round(s * 1000)), "ms"] : [s.toFixed(s < 10 ? 2 : 1), "s"]);
  const clock = (unix) => new Date(unix * 1000).toLocaleTimeString("en-GB");

  // A round number that is not below: 1, 2 or 5 and zeros.
  function above(n) {
    if (!(n > 0)) return 1;
    const ten = 10 ** Math.floor(Math.log10(n));
    return [1, 2, 5, 10].map((step) => step * ten).find((step) => step >= n * 0.999);
  }

  // --- what is known ---

  let known = {}; // the parts, as they were told last
  let samples = []; // [at, running, waiting, speed, first, cache]
  let ahead = 0; // seconds that the worker's clock is before ours
  const now = () => Date.now() / 1000 + ahead;

  const TITLE = document.title;
  const untold = at("panels").cloneNode(true); // as they are before anything was told

  function forgetAll() {
    known = {};
    samples = [];
    lostAt = null;
    at("panels").replaceWith(untold.cloneNode(true));
    for (const id of ["model", "link-more", "said"]) say(at(id), "");
    document.title = TITLE;
  }

  function take(news, isFirst) {
    ahead = news.now - Date.now() / 1000;
    if (isFirst) {
      known = {};
      samples = [];
      at("log").replaceChildren();
    }
    Object.assign(known, news);
    samples = samples.concat(news.samples ?? []).filter((one) => one[0] > now() - QUARTER - 10);
    if (news.state) showState(news.state);
    if (news.start) showStart(news.start);
    if (news.settings) showSettings(news.settings);
    if (news.log) showLog(news.log);
    if (news.state || news.samples) showReadings();
    passTime();
  }

  // --- state ---

  const PHASES = {
    STARTING: ["Starting", "warm", "The engine is on its way; nothing is answered yet."],
    READY: ["Ready", "good", "The engine answers."],
    RESTARTING: ["Restarting", "warm", "The engine was lost; the worker starts it again."],
    DRAINING: ["Draining", "calm", "Asked to stop: what is in hand is finished first."],
    STOPPED: ["Stopped", "calm", "Asked to stop, and stopped in order."],
    FAILED: ["Failed", "bad", "The worker has given up."],
  };

  function showState(state) {
    const [word, kind, usual] = PHASES[state.state] ?? [state.state, "calm", ""];
    const meaning = state.answering ? "It has given up, and tells waiting jobs why before it ends." : usual;
    at("state").className = `panel state ${kind}`;
    say(at("phase"), word);
    say(at("meaning"), meaning);
    say(at("doing"), state.doing ?? "");
    say(at("model"), state.model ?? "");
    document.title = `${word}${state.model ? ` · ${state.model}` : ""} · vllm-supervisor`;
    at("cause").hidden = !state.last_failure;
    const past = state.state === "READY" || state.state === "DRAINING" || state.state === "STOPPED";
    say(at("cause-title"), past ? "The last failure" : "Cause, and what to do");
    say(at("cause-text"), state.last_failure ?? "");
    const facts = [
      ["mode", state.mode],
      ...Object.entries(state.versions).map(([name, version]) => [name, version ?? "unknown"]),
      ["engine", state.engine_pid === null ? "no process" : `process ${state.engine_pid}`],
      ["restarts", count(state.restarts)],
      ["/ping", String(state.ping)],
    ];
    if (state.first_job !== null) facts.push(["first job after", `${state.first_job.toFixed(1)} s`]);
    if (state.exit_code !== null) facts.push(["exit code", String(state.exit_code)]);
    at("facts").replaceChildren(...facts.map(([name, value]) => pair(name, value)));
    showTotals(state.jobs);
  }

  function showTotals(jobs) {
    at("totals").hidden = !jobs;
    if (!jobs) return;
    const names = ["taken", "answered", "failed", "refused", "cancelled", "resent", "engine_errors", "tokens"];
    const told = names.filter((name) => name in jobs);
    at("totals-list").replaceChildren(...told.map((name) => pair(name.replace("_", " "), count(jobs[name]))));
  }

  // --- start ---

  function showStart(start) {
    const rows = new Map();
    for (const [name, begin, seconds] of start.parts) {
      rows.set(name, [...(rows.get(name) ?? []), [begin, seconds]]);
    }
    const ends = start.parts.map(([, begin, seconds]) => begin + seconds);
    const whole = Math.max(0, ...ends);
    const phases = new Set(start.phases);
    at("start").hidden = !rows.size;
    at("start-legend").hidden = [...rows.keys()].every((name) => phases.has(name));
    say(at("start-half"), (whole / 2).toFixed(1));
    say(at("start-whole"), `${whole.toFixed(1)} s`);
    say(at("start-note"), {
      over: `${whole.toFixed(1)} s in all; ${start.advice}`,
      runs: `${whole.toFixed(1)} s so far`,
      failed: `the engine ended after ${whole.toFixed(1)} s, before it was ready`,
    }[start.outcome] ?? "No engine has been started.");
    const order = [...rows].sort(([, one], [, two]) => one[0][0] - two[0][0]);
    const last = start.parts.findLast(([name]) => phases.has(name))?.[0];
    at("start").tBodies[0].replaceChildren(...order.map(([name, parts]) => {
      const track = made("div", { class: "track" });
      for (const [begin, seconds] of parts) {
        const goesOn = begin + seconds >= whole - 0.002;
        const kind = !phases.has(name) ? " beside" : goesOn && name === last ? ` ${start.outcome}` : "";
        const bar = made("div", { class: `bar${kind}` });
        bar.style.left = `${(begin / whole) * 100}%`;
        bar.style.width = `${(seconds / whole) * 100}%`;
        track.append(bar);
      }
      const all = parts.reduce((sum, [, seconds]) => sum + seconds, 0);
      return made("tr", {}, made("th", { scope: "row" }, name), made("td", { class: "ticks" }, track),
        made("td", {}, all.toFixed(1)));
    }));
  }

  // --- readings ---

  const READINGS = {
    jobs: { column: 1, text: (n) => [count(n), ""] },
    speed: { column: 3, text: (n) => [rate(n), "tokens/s"] },
    first: { column: 4, text: wait },
    cache: { column: 5, text: (n) => [String(Math.round(n * 100)), "%"], most: 1 },
  };

  function showReadings() {
    const queue = known.state?.mode === "queue";
    say(at("jobs-title"), queue ? "Jobs in hand" : "Requests running");
    for (const [id, one] of Object.entries(READINGS)) showReading(id, one);
  }

  function showReading(id, { column, text, most }) {
    const panel = at(id);
    const values = samples.filter((one) => one[column] !== null);
    const last = values.at(-1);
    const fresh = last !== undefined && last === samples.at(-1);
    const jobs = id === "jobs" ? known.state?.jobs?.jobs ?? null : null;
    const value = jobs ?? (fresh || id === "first" ? last?.[column] : undefined) ?? null;
    const [number, unit] = value === null ? ["unknown", ""] : text(value);
    const shown = panel.querySelector(".value");
    shown.classList.toggle("unknown", value === null);
    if (shown.dataset.shown !== `${number} ${unit}`) {
      shown.dataset.shown = `${number} ${unit}`;
      shown.replaceChildren(number, ...(unit ? [made("small", {}, unit)] : []));
    }
    const highest = Math.max(...values.map((sample) => sample[column]));
    say(panel.querySelector(".note"), noteOf(id, values, last, fresh, highest, text));
    const title = panel.querySelector(".title").textContent;
    const label = values.length
      ? `${title}, the last quarter of an hour: now ${number} ${unit}, at most ${text(highest).join(" ")}`
      : `${title}: nothing is known of the last quarter of an hour`;
    draw(panel.querySelector(".chart"), label, values, column, most ?? above(highest), text);
  }

  function noteOf(id, values, last, fresh, highest, text) {
    if (!values.length) {
      return id === "first" ? "no answer began in this time" : "nobody has said yet";
    }
    if (id === "first" && !fresh) return `the last at ${clock(last[0])}`;
    const waiting = samples.at(-1)[2];
    if (id === "jobs" && waiting !== null) return `${count(waiting)} waiting in the engine`;
    return `at most ${text(highest).join(" ")}`;
  }

  function draw(chart, label, values, column, most, text) {
    const end = now();
    const points = values.map((one) => [300 - ((end - one[0]) / QUARTER) * 300, 60 - Math.min(1, one[column] / most) * 56, one]);
    const svg = drawn("svg", { viewBox: "0 0 300 60", preserveAspectRatio: "none", role: "img", "aria-label": label });
    for (const x of [100, 200]) svg.append(drawn("path", { class: "grid", d: `M${x} 0V60` }));
    for (const piece of pieces(points)) {
      const line = piece.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
      if (piece.length === 1) {
        svg.append(drawn("path", { class: "dots", d: `M${line}h0.01` }));
        continue;
      }
      const [from, to] = [piece[0][0].toFixed(1), piece.at(-1)[0].toFixed(1)];
      svg.append(drawn("path", { class: "area", d: `M${from} 60L${line}L${to} 60Z` }));
      svg.append(drawn("path", { class: "trace", d: `M${line}` }));
    }
    const read = made("span", { class: "most", "aria-hidden": "true" }, values.length ? text(most).join(" ").trim() : "");
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * 300;
      const near = points.reduce((best, one) => (Math.abs(one[0] - x) < Math.abs((best ?? [1e9])[0] - x) ? one : best), null);
      if (near) say(read, `${clock(near[2][0])}: ${text(near[2][column]).join(" ").trim()}`);
    });
    const axis = made("div", { class: "axis", "aria-hidden": "true" }, made("span", {}, "−15 min"), made("span", {}, "now"));
    chart.replaceChildren(svg, read, axis);
  }

  // Parted where more than a few samples are missing: nothing is drawn that nobody has seen.
  function pieces(points) {
    const found = [];
    for (const point of points) {
      const piece = found.at(-1);
      if (piece && point[2][0] - piece.at(-1)[2][0] < 12) piece.push(point);
      else found.push([point]);
    }
    return found;
  }

  // --- log ---

  function showLog(lines) {
    const log = at("log");
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(...lines.map((line) => made("p", { class: level(line) }, line)));
    while (log.childElementCount > LINES_MOST) log.firstChild.remove();
    if (follows) log.scrollTop = log.scrollHeight;
  }

  function level(line) {
    const found = /\b(WARNING|ERROR|CRITICAL)\b/.exec(line.slice(0, 160));
    return !found ? "" : found[1] === "WARNING" ? "warning" : "error";
  }

  // --- configuration, and lines to try it with ---

  function showSettings(told) {
    const sentence = ({ message, suggestion }) => (suggestion ? `${message}; ${suggestion}` : message);
    at("remarks").replaceChildren(
      ...told.errors.map((one) => made("li", { class: "error" }, sentence(one))),
      ...told.warnings.map((one) => made("li", {}, sentence(one))),
    );
    const head = ["variable", "value", "became", "remarks"].map((name) => made("th", { scope: "col" }, name));
    const rows = told.settings.map((one) => made("tr", {},
      made("th", { scope: "row" }, one.env), made("td", {}, one.value),
      made("td", {}, one.flag ?? `(${one.source})`), made("td", { class: "remark" }, one.note ?? "")));
    at("settings").replaceChildren(made("thead", {}, made("tr", {}, ...head)), made("tbody", {}, ...rows));
    say(at("command"), asCommand(told.command));
    at("more").replaceChildren(
      ...listed("Environment of the engine, changed", Object.entries(told.engine_env)),
      ...listed("Kept in the environment", told.environment.map((one) => [one.env, one.reason])),
      ...listed("Ignored", told.ignored.map((one) => [one.env, one.reason])),
    );
    showExamples(told.try);
  }

  function listed(title, pairs) {
    if (!pairs.length) return [];
    const list = made("dl", {}, ...pairs.map(([name, value]) => pair(name, value)));
    return [made("details", {}, made("summary", {}, `${title} (${pairs.length})`), list)];
  }

  const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

  function asCommand(tokens) {
    const lines = [[]];
    for (const token of tokens) {
      if (token.startsWith("-")) lines.push([]);
      lines.at(-1).push(quoted(token));
    }
    return lines.map((line) => line.join(" ")).join(" \\\n  ");
  }

  function showExamples({ url, scheme, port, key, model }) {
    const host = location.hostname.includes(":") ? `[${location.hostname}]` : location.hostname;
    const base = url ?? `${scheme}://${host}:${port}/v1`;
    const question = [{ role: "user", content: "What is this?" }];
    const bearer = key ? ` \\\n  -H "Authorization: Bearer $${key}"` : "";
    const python = [
      ...(key ? ["import os"] : []),
      "from openai import OpenAI",
      "",
      `client = OpenAI(base_url=${JSON.stringify(base)}, api_key=${key ? `os.environ["${key}"]` : '"none"'})`,
    ];
    if (model === null) {
      say(at("try-curl"), `curl ${quoted(`${base}/models`)}${bearer}`);
      say(at("try-python"), [...python, "print(client.models.list())"].join("\n"));
      return;
    }
    const body = JSON.stringify({ model, messages: question });
    say(at("try-curl"), `curl ${quoted(`${base}/chat/completions`)}${bearer} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(body)}`);
    say(at("try-python"), [
      ...python,
      "answer = client.chat.completions.create(",
      `    model=${JSON.stringify(model)},`,
      '    messages=[{"role": "user", "content": "What is this?"}],',
      ")",
      "print(answer.choices[0].message.content)",
    ].join("\n"));
  }

  async function copy(button) {
    const code = at(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(code.textContent);
      say(at("said"), "Copied");
      button.firstChild.data = "Copied";
    } catch { // no clipboard over plain HTTP from another machine
      getSelection().selectAllChildren(code);
      button.firstChild.data = "Selected";
      say(at("said"), "Selected; copy it with the keyboard");
    }
    setTimeout(() => { button.firstChild.data = "Copy"; say(at("said"), ""); }, 2000);
  }

  // --- the way to the worker ---

  let stream = null; // what ends the stream that is open
  let lostAt = null; // since when nobody answers
  let tries = 0;
  let retry = 0;

  function link(kind, text) {
    at("link").parentElement.className = `link ${kind}`;
    say(at("link"), text);
    at("panels").classList.toggle("stale", kind === "lost");
  }

  async function connect() {
    clearTimeout(retry);
    stream?.abort();
    if (document.hidden) return;
    const mine = (stream = new AbortController());
    const token = sessionStorage.getItem(KEY);
    try {
      const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
      const answer = await fetch("events", { headers, signal: mine.signal, cache: "no-store" });
      if (answer.status === 401) return askForToken(token);
      if (!answer.ok) throw new Error((await answer.json()).error);
      lostAt = null;
      tries = 0;
      at("login").hidden = true;
      at("panels").hidden = false;
      at("forget").hidden = token === null;
      link("live", "live");
      await listen(answer.body, mine.signal);
      throw new Error("the worker has closed the connection");
    } catch (reason) {
      if (mine.signal.aborted) return;
      lostAt ??= Date.now() / 1000;
      link("lost", reason instanceof TypeError ? "no answer from the worker" : reason.message);
      retry = setTimeout(connect, 1000 * RETRY[Math.min(tries++, RETRY.length - 1)]);
      passTime();
    }
  }

  async function listen(body, end) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let isFirst = true;
    for (;;) {
      const { value, done } = await reader.read();
      if (done || end.aborted) return;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events.filter((one) => one.startsWith("data: "))) {
        take(JSON.parse(event.slice(6)), isFirst);
        isFirst = false;
      }
    }
  }

  function askForToken(refused) {
    sessionStorage.removeItem(KEY);
    clearTimeout(retry);
    forgetAll();
    link("", "waits for the token");
    at("forget").hidden = true;
    at("login").hidden = false;
    say(at("login-fault"), refused === null ? "" : "The worker has another token.");
    at("token").focus();
  }

  at("login").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = at("token").value.trim();
    at("token").value = "";
    if (/^[\x21-\x7e]+( +[\x21-\x7e]+)*$/.test(token)) {
      sessionStorage.setItem(KEY, token);
      connect();
    } else {
      say(at("login-fault"), "A token has no other characters than those of ASCII.");
    }
  });
  at("forget").addEventListener("click", () => {
    stream?.abort();
    askForToken(null);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copies]");
    if (button) copy(button);
  });
  // Nobody looks at a tab that is hidden: the worker need tell it nothing.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !at("login").hidden) return;
    if (document.hidden) {
      stream?.abort();
      clearTimeout(retry);
      link("", "paused");
    } else connect();
  });

  function passTime() {
    if (known.state) say(at("since"), `for ${lasted(now() - known.state.since)}`);
    say(at("link-more"), lostAt === null ? "" : `for ${lasted(Date.now() / 1000 - lostAt)}; what stands here is the last that it said`);
  }
  setInterval(() => { if (!document.hidden) passTime(); }, 1000);
  connect();
})();
