// Sockets of a page that was given a pass, as noVNC takes a WebSocket: the binary messages. Text is ours.

class Channel {
  constructor(socket) {
    this.socket = socket;
    this.waiting = []; // what comes before noVNC listens
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

// One socket, once. `heard` gets what is said besides pixels; `over` whether a reason was given before the end.
export const connect = async (words, heard, over) => {
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
    over(told);
  };
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) {
      channel.take(data);
      return;
    }
    const said = JSON.parse(data);
    if (said.fault || "ended" in said) {
      if (told) return; // what was said first is the reason
      told = true;
    }
    heard(said, channel);
  };
  return socket;
};

// What is said of the state of a page, in its one line.
export const sayer = (state) => (text, bad = false) => {
  state.textContent = text;
  state.classList.toggle("bad", bad);
};
