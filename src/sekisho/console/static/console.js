// The console's own script: passkeys, one-time links, and a question before what cannot be undone.
// Everything but passkeys works without it.

const json = async (path, body, headers = {}) => {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.message);
  return content;
};

const say = (form, text) => {
  const place = form.querySelector("[data-say]");
  if (place) {
    place.textContent = text;
    place.hidden = text === "";
  }
};

const ceremony = (form, run) => {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say(form, "");
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      window.location.assign((await run(form)).next);
    } catch (error) {
      say(form, error.name === "NotAllowedError" ? form.dataset.cancelled : error.message);
      button.disabled = false;
    }
  });
};

const logIn = async () => {
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(await json("/login/passkey/options"));
  const credential = await navigator.credentials.get({ publicKey: options });
  return json("/login/passkey", credential.toJSON());
};

const enrol = async (form) => {
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(await json("/enrol/passkey/options"));
  const credential = await navigator.credentials.create({ publicKey: options });
  const label = form.elements.label.value;
  return json("/enrol/passkey", { ...credential.toJSON(), label }, { "x-sekisho-form": form.elements.csrf.value });
};

// The challenge is the digest of the request: what the authenticator signs is that, and nothing else.
const sign = async (form) => {
  const path = `/takeouts/${encodeURIComponent(form.dataset.takeout)}/passkey`;
  const headers = { "x-sekisho-form": form.elements.csrf.value };
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(await json(`${path}/options`, undefined, headers));
  const credential = await navigator.credentials.get({ publicKey: options });
  return json(path, { ...credential.toJSON(), digest: form.elements.digest.value }, headers);
};

for (const form of document.querySelectorAll("form[data-passkey='login']")) ceremony(form, logIn);
for (const form of document.querySelectorAll("form[data-passkey='enrol']")) ceremony(form, enrol);
for (const form of document.querySelectorAll("form[data-passkey='sign']")) ceremony(form, sign);

// A one-time link carries its secret behind the #, which no server ever sees.
const secret = window.location.hash.slice(1);
for (const field of document.querySelectorAll("[data-from-link]")) {
  if (secret) {
    field.value = decodeURIComponent(secret);
    history.replaceState(null, "", window.location.pathname);
  }
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.ask;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A live list: the server says that something changed, and htmx asks for the list. Where the stream does not come
// through, the list is asked for every two seconds until it does.
for (const list of document.querySelectorAll("[data-live]")) {
  const renew = () => window.htmx?.trigger(list, "changed");
  let asking;
  const ask = () => { asking ??= setInterval(renew, 2000); };
  const heard = () => { clearInterval(asking); asking = undefined; };
  let source;
  const listen = () => {
    source = new EventSource(list.dataset.live);
    source.addEventListener("open", heard);
    source.addEventListener("changed", renew);
    source.addEventListener("error", () => {
      ask();
      // A refusal closes the stream for good: try again later, the reason may pass.
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 30000);
    });
  };
  listen();
  window.addEventListener("pagehide", () => source.close());
  // Whoever went through the list by keyboard stays on the same line of the new one.
  let focused = null;
  document.addEventListener("htmx:before:swap", () => {
    focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  });
  document.addEventListener("htmx:after:swap", () => {
    if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  });
}

// The menu of a narrow screen is folded away.
const menu = document.querySelector("[data-menu]");
if (menu) {
  const narrow = window.matchMedia("(max-width: 800px)");
  const fold = () => { menu.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
}
