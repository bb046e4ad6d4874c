// A desktop in a page: noVNC over a socket that the page was given a pass for. Pixels come, keys and a pointer go.

import { connect, sayer } from "./channel.js";

// While it loads, the checkpoint opens the desktop.
const viewer = import("./vendor/novnc/core/rfb.js");

const place = document.querySelector("[data-screen]");
const words = place.dataset;
const say = sayer(document.querySelector("[data-state]"));

// A courtesy: what limits copying is that the checkpoint sends nothing but marked pixels, and passes no clipboard on.
for (const name of ["copy", "cut", "paste", "dragstart", "contextmenu"]) {
  document.querySelector("main").addEventListener(name, (event) => event.preventDefault(), true);
}

const show = async (channel) => {
  const { default: RFB } = await viewer;
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
  say(words.connecting);
  await connect(
    words,
    (said, channel) => {
      if (said.fault) say(`${said.code}: ${said.fault}`, true);
      if ("ended" in said) say(words.ended);
      if (said.opened) show(channel);
    },
    (told) => {
      if (!told) say(words.lost, true);
      document.querySelector("[data-again]").hidden = false;
    },
  );
} catch (error) {
  say(error.message, true);
}
