// Terminals in a page: a live one, a view of somebody else's, and the replay of a recording.

const place = document.querySelector("[data-screen]");
const { mode } = place.dataset;
const words = place.dataset;

// xterm.js makes <style> elements and style attributes of its own. The page's policy takes an element only with the
// nonce of this answer, and a style only from script: so each gets what the policy asks, and the policy stays strict.
const { nonce } = document.querySelector("script[nonce]");
const make = document.createElement;
document.createElement = function createElement(name, options) {
  const made = make.call(this, name, options);
  if (name === "style") made.nonce = nonce;
  return made;
};
const set = Element.prototype.setAttribute;
Element.prototype.setAttribute = function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else set.call(this, name, value);
};

const terminal = new globalThis.Terminal({
  cols: Number(words.width || 80),
  rows: Number(words.height || 24),
  convertEol: false,
  cursorBlink: mode === "terminal",
  disableStdin: mode !== "terminal",
  fontFamily: '"DejaVu Sans Mono", "Noto Sans Mono CJK JP", monospace',
  fontSize: 14,
  scrollback: 2000,
  screenReaderMode: true,
  theme: { background: "#101418", foreground: "#e7e6e2" },
  linkHandler: { activate: () => {} },
});
const fit = new globalThis.FitAddon.FitAddon();
terminal.loadAddon(fit);
terminal.open(place);

// No way to the clipboard from here. This is a page's courtesy: a camera, or the browser's own tools, pass it by.
for (const name of ["copy", "cut", "dragstart", "contextmenu"]) {
  place.addEventListener(name, (event) => { event.preventDefault(); event.stopImmediatePropagation(); }, true);
}
terminal.attachCustomKeyEventHandler((event) => !(event.ctrlKey && (event.code === "Insert" || (event.shiftKey && event.code === "KeyC"))));

// Who looks, and when, faintly over everything. In the page only.
const mark = document.createElement("canvas");
mark.className = "watermark";
mark.setAttribute("aria-hidden", "true");
place.append(mark);
const draw = () => {
  const { width, height } = place.getBoundingClientRect();
  mark.width = width;
  mark.height = height;
  const pen = mark.getContext("2d");
  pen.font = "15px sans-serif";
  pen.fillStyle = "rgba(255, 255, 255, 0.13)";
  pen.rotate(-0.35);
  const now = new Date().toLocaleString("sv-SE", { timeZone: "Asia/Tokyo" });
  for (let y = -height; y < height * 2; y += 110) for (let x = -width; x < width * 2; x += 360) pen.fillText(`${words.who} ${now}`, x, y);
};
draw();
setInterval(draw, 20_000);
new ResizeObserver(draw).observe(place);

const state = document.querySelector("[data-state]");
const say = (text, bad = false) => {
  state.textContent = text;
  state.classList.toggle("bad", bad);
};

const passFor = async () => {
  const answer = await fetch(words.pass, { method: "POST", body: new URLSearchParams({ csrf: words.csrf }) });
  if (!answer.ok) throw new Error(words.refused);
  return (await answer.json()).socket_pass;
};

// One socket, once: what ended is not taken up again behind anybody's back.
const connect = async (heard) => {
  const pass = await passFor();
  const socket = new WebSocket(words.socket, []);
  socket.binaryType = "arraybuffer";
  let told = false;
  socket.onopen = () => socket.send(JSON.stringify({ pass, width: terminal.cols, height: terminal.rows }));
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) {
      terminal.write(new Uint8Array(data));
      return;
    }
    const said = JSON.parse(data);
    if (said.fault) { told = true; say(`${said.code}: ${said.fault}`, true); }
    if ("ended" in said && !told) { told = true; say(words.ended); } // what was said first is the reason
    heard(said);
  };
  socket.onclose = () => {
    terminal.options.disableStdin = true;
    terminal.options.cursorBlink = false;
    if (!told) say(words.lost, true);
    const again = document.querySelector("[data-again]");
    if (again) again.hidden = false;
  };
  return socket;
};

const start = async () => {
  fit.fit();
  say(words.connecting);
  const socket = await connect((said) => { if (said.opened) { say(words.open); terminal.focus(); } });
  const bytes = new TextEncoder();
  const send = (data) => { if (socket.readyState === WebSocket.OPEN) socket.send(data); };
  // A paste may be long; a message may not.
  const type = (data) => { for (let from = 0; from < data.length; from += 16384) send(data.subarray(from, from + 16384)); };
  terminal.onData((text) => type(bytes.encode(text)));
  terminal.onBinary((text) => type(Uint8Array.from(text, (one) => one.charCodeAt(0))));
  let sized;
  terminal.onResize(({ cols, rows }) => {
    clearTimeout(sized);
    sized = setTimeout(() => send(JSON.stringify({ width: cols, height: rows })), 100);
  });
  new ResizeObserver(() => fit.fit()).observe(place);
};

// A mark in words: the recording names only its kind.
const marks = JSON.parse(words.marks || "{}");
const inWords = (label) => {
  const [what, kind] = label.split(": ");
  return marks[label] ?? (what === "removed" ? words.removed.replace("{}", marks[kind] ?? marks.other) : label);
};

const watch = async () => {
  say(words.connecting);
  await connect((said) => {
    if (said.width) { terminal.resize(said.width, said.height); say(words.open); }
    if (said.mark) say(`${words.open} · ${inWords(said.mark)}`);
  });
};

// -- replay ----------------------------------------------------------------------------------------------------------

const LONGEST_PAUSE = 2;
const PLAIN = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[ -/]*[0-~]|[\u0000-\u0008\u000b-\u001f]/g;

const replay = async () => {
  const events = []; // [seconds, code, text]
  const find = (name) => document.querySelector(`[data-play="${name}"]`);
  const [button, range, clock, speed, marks, search, found] = ["button", "range", "clock", "speed", "marks", "search", "found"].map(find);
  const size = { cols: terminal.cols, rows: terminal.rows };
  let next = 0; // the event to be shown next
  let at = 0; // seconds of the recording
  let timer = 0;

  const time = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const show = () => {
    range.value = at;
    clock.textContent = `${time(at)} / ${time(Number(range.max))}`;
  };
  const apply = ([, code, text]) => {
    if (code === "o") terminal.write(text);
    else if (code === "r") terminal.resize(...text.split("x").map(Number));
  };
  const pause = () => {
    clearTimeout(timer);
    timer = 0;
    button.textContent = words.play;
  };
  const step = () => {
    while (next < events.length && events[next][0] <= at) apply(events[next++]);
    show();
    if (next === events.length) { pause(); return; }
    // What nobody did takes two seconds at most.
    const wait = Math.min(events[next][0] - at, LONGEST_PAUSE);
    timer = setTimeout(() => { [at] = events[next]; step(); }, (wait * 1000) / Number(speed.value));
  };
  const play = () => {
    if (next === events.length) seek(0);
    button.textContent = words.pause;
    step();
  };
  const seek = (seconds) => {
    const playing = timer !== 0;
    pause();
    if (seconds < at) {
      terminal.reset();
      terminal.resize(size.cols, size.rows);
      next = 0;
    }
    at = seconds;
    while (next < events.length && events[next][0] <= at) apply(events[next++]);
    show();
    if (playing) { button.textContent = words.pause; step(); }
  };
  const jump = (seconds, text) => {
    const item = document.createElement("li");
    const to = document.createElement("button");
    to.className = "button quiet slim";
    to.textContent = `${time(seconds)} ${text}`;
    to.addEventListener("click", () => seek(seconds));
    item.append(to);
    return item;
  };

  button.addEventListener("click", () => (timer ? pause() : play()));
  range.addEventListener("input", () => seek(Number(range.value)));
  search.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = search.elements.text.value.toLowerCase();
    // One text of everything that was shown, without its control sequences; where each event's part begins.
    let text = "";
    const begins = [];
    for (const [seconds, code, shown] of events) {
      if (code !== "o") continue;
      begins.push([text.length, seconds]);
      text += shown.replace(PLAIN, "");
    }
    const lowered = text.toLowerCase();
    const searched = lowered.length === text.length ? lowered : text; // else the places would not agree
    const items = [];
    for (let from = searched.indexOf(wanted); wanted && from >= 0 && items.length < 200; from = searched.indexOf(wanted, from + wanted.length)) {
      const [, seconds] = begins.findLast(([begin]) => begin <= from);
      const line = text.slice(text.lastIndexOf("\n", from) + 1, from + wanted.length + 40).split("\n")[0];
      items.push(jump(seconds, line.slice(-80)));
    }
    found.replaceChildren(...items);
    say(items.length ? words.found.replace("{}", items.length) : words.nothing);
  });

  say(words.connecting);
  const answer = await fetch(words.cast, { headers: { "content-type": "application/json" } });
  if (!answer.ok) {
    const refusal = await answer.json();
    say(`${refusal.code}: ${refusal.message}`, true);
    return;
  }
  let rest = "";
  let header;
  const take = (line) => {
    if (!line) return;
    const value = JSON.parse(line);
    if (!header) { header = value; return; }
    events.push(value);
    if (value[1] === "m") marks.append(jump(value[0], inWords(value[2])));
  };
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    lines.forEach(take);
  }
  take(rest);
  range.max = events.length ? events[events.length - 1][0] : 0;
  button.disabled = false;
  say(words.open);
  seek(0);
};

try {
  await { terminal: start, live: watch, replay }[mode]();
} catch (error) {
  say(error.message, true);
}
