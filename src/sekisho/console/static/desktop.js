// A desktop in a page: noVNC over a socket that the page was given a pass for. Pixels come, keys and a pointer go.

import RFB from "./vendor/novnc/core/rfb.js";

const place = document.querySelector("[data-screen]");
const words = place.dataset;
const state = document.querySelector("[data-state]");
const say = (text, bad = false) => {
  state.textContent = text;
  state.classList.toggle("bad", bad);
};

// A courtesy: what limits copying is that the checkpoint sends nothing but marked pixels, and passes no clipboard on.
for (const name of ["copy", "cut", "paste", "dragstart", "contextmenu"]) {
  document.querySelector("main").addEventListener(name, (event) => event.preventDefault(), true);
}

// What noVNC takes for a WebSocket: the binary messages of ours. What comes before it listens waits.
class Channel {
  constructor(socket) {
    this.socket = socket;
    this.waiting = [];
    this.heard = null;
    this.onopen = this.onerror = this.onclose = null;
    this.binaryType = "arraybuffer";
    this.protocol = "";
  }

  get readyState() { return this.socket.readyState; }
  get onmessage() { return this.heard; }
  set onmessage(heard) {
    this.heard = heard;
    if (heard) this.waiting.splice(0).forEach((data) => heard({ data }));
  }

  take(data) {
    if (this.heard) this.heard({ data });
    else this.waiting.push(data);
  }

  send(data) { this.socket.send(data); }
  close() { this.socket.close(); }
}

const start = async () => {
  say(words.connecting);
  const answer = await fetch(words.pass, { method: "POST", body: new URLSearchParams({ csrf: words.csrf }) });
  if (!answer.ok) throw new Error(words.refused);
  const pass = (await answer.json()).socket_pass;
  const socket = new WebSocket(words.socket, []);
  socket.binaryType = "arraybuffer";
  const channel = new Channel(socket);
  let told = false;
  socket.onopen = () => socket.send(JSON.stringify({ pass, width: 80, height: 24 }));
  socket.onclose = (event) => {
    if (channel.onclose) channel.onclose(event);
    if (!told) say(words.lost, true);
    document.querySelector("[data-again]").hidden = false;
  };
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) {
      channel.take(data);
      return;
    }
    const said = JSON.parse(data);
    if (said.fault) { told = true; say(`${said.code}: ${said.fault}`, true); }
    if ("ended" in said && !told) { told = true; say(words.ended); }
    if (said.opened) show(channel);
  };
};

const show = (channel) => {
  const rfb = new RFB(place, channel, { shared: false });
  rfb.scaleViewport = true;
  rfb.focusOnClick = true;
  rfb.background = "#101418";
  rfb.addEventListener("connect", () => { say(words.open); rfb.focus(); });
  document.querySelector("[data-line]").addEventListener("submit", (event) => {
    event.preventDefault();
    const { line } = event.target.elements;
    for (const character of line.value) {
      const point = character.codePointAt(0);
      rfb.sendKey(point < 0x100 ? point : 0x01000000 + point, null); // X11 keysyms: Unicode behind 0x01000000
    }
    line.value = "";
  });
};

try {
  await start();
} catch (error) {
  say(error.message, true);
}
