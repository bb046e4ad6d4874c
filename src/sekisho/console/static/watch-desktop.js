// A desktop that somebody else works, or worked, in: the checkpoint plays it, the page shows it and says what it wants.

import { connect, sayer } from "./channel.js";
import RFB from "./vendor/novnc/core/rfb.js";

const place = document.querySelector("[data-screen]");
const words = place.dataset;
const say = sayer(document.querySelector("[data-state]"));
const MOST_FOUND = 200;

for (const name of ["copy", "cut", "dragstart", "contextmenu"]) {
  place.addEventListener(name, (event) => event.preventDefault(), true);
}

const time = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const show = (channel) => {
  const rfb = new RFB(place, channel, { shared: true });
  rfb.viewOnly = true;
  rfb.scaleViewport = true;
  rfb.background = "#101418";
  rfb.addEventListener("connect", () => say(words.open));
};

const controls = (socket) => {
  const find = (name) => document.querySelector(`[data-play="${name}"]`);
  const [button, range, clock, speed, marks, search, found] = ["button", "range", "clock", "speed", "marks", "search", "found"].map(find);
  const order = (said) => { if (socket().readyState === WebSocket.OPEN) socket().send(JSON.stringify(said)); };
  let track = []; // [seconds, kind, text]
  let playing = false;
  let dragging = false;

  const jump = ([seconds, kind, text]) => {
    const item = document.createElement("li");
    const to = document.createElement("button");
    const what = document.createElement("span");
    to.type = "button";
    to.className = "button quiet slim";
    to.textContent = `${time(seconds)} ${text}`;
    to.addEventListener("click", () => order({ seek: Math.max(0, seconds - 1) }));
    what.className = "tag";
    what.textContent = words[kind];
    item.append(to, " ", what);
    return item;
  };

  button.addEventListener("click", () => {
    if (!playing && Number(range.value) >= Number(range.max) - 0.05) order({ seek: 0 });
    order({ play: !playing });
  });
  range.addEventListener("pointerdown", () => { dragging = true; });
  range.addEventListener("pointerup", () => { dragging = false; });
  range.addEventListener("change", () => order({ seek: Number(range.value) }));
  speed.addEventListener("change", () => order({ speed: Number(speed.value) }));
  search.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = search.elements.text.value.toLowerCase();
    const hits = track.filter(([, , text]) => text.toLowerCase().includes(wanted)).slice(0, MOST_FOUND);
    found.replaceChildren(...hits.map(jump));
    say(hits.length ? `${hits.length}` : words.nothing);
  });

  return (said) => {
    if (said.track) {
      ({ track } = said);
      range.max = Math.ceil(said.end * 100) / 100; // the step of the slider
      marks.replaceChildren(...track.filter(([, kind]) => kind !== "typed").slice(0, MOST_FOUND).map(jump));
      button.disabled = false;
    }
    if ("at" in said) {
      ({ playing } = said);
      if (!dragging) range.value = said.at;
      clock.textContent = `${time(said.at)} / ${time(Number(range.max))}`;
      button.textContent = playing ? words.pause : words.play;
    }
  };
};

try {
  say(words.connecting);
  let socket;
  const heed = words.mode === "replay" ? controls(() => socket) : () => {};
  socket = await connect(
    words,
    (said, channel) => {
      if (said.fault) say(`${said.code}: ${said.fault}`, true);
      if ("ended" in said) say(words.ended);
      if (said.width) show(channel);
      if (said.mark) say(`${words.open} · ${said.mark}`);
      heed(said);
    },
    (told) => {
      if (!told) say(words.lost, true);
      document.querySelector('[data-play="button"]')?.setAttribute("disabled", "");
    },
  );
} catch (error) {
  say(error.message, true);
}
