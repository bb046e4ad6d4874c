// Found lists: sending a file in pieces, watching a lookup, drawing when sessions were and how much of each is in a list.

const PIECE = 512 * 1024;

const bring = async (form) => {
  const file = form.querySelector("input[type=file]").files[0];
  const bar = form.querySelector("progress");
  const headers = { "x-sekisho-form": form.dataset.csrf };
  const send = async (path, body, kind) => {
    const answer = await fetch(path, { method: "POST", headers: { ...headers, "content-type": kind }, body });
    if (!answer.ok) throw new Error((await answer.json()).message);
    return answer;
  };
  const coming = JSON.stringify({ name: file.name, size: file.size });
  const { to } = await (await send("/trace/lists", coming, "application/json")).json();
  bar.hidden = false;
  for (let offset = 0; offset < file.size; offset += PIECE) {
    await send(`${to}?offset=${offset}`, file.slice(offset, offset + PIECE), "application/octet-stream");
    bar.value = Math.min((offset + PIECE) / file.size, 1);
  }
  window.location.assign(to);
};

for (const form of document.querySelectorAll("[data-bring]")) {
  const said = form.querySelector("[data-say]");
  const field = form.querySelector("input[type=file]");
  const begin = async () => {
    const button = form.querySelector("button");
    button.disabled = true;
    said.hidden = true;
    try {
      await bring(form);
    } catch (error) {
      said.textContent = error.message || form.dataset.failed;
      said.hidden = false;
      button.disabled = false;
    }
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); begin(); });
  const named = form.querySelector("[data-name]");
  field.addEventListener("change", () => { if (field.files.length) named.textContent = field.files[0].name; });
  for (const name of ["dragover", "dragleave", "drop"]) {
    form.addEventListener(name, (event) => {
      event.preventDefault();
      form.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) {
        field.files = event.dataTransfer.files;
        named.textContent = field.files[0].name;
        begin();
      }
    });
  }
}

for (const place of document.querySelectorAll("[data-progress]")) {
  const source = new EventSource(place.dataset.progress);
  source.addEventListener("moved", (event) => {
    const { step, done } = JSON.parse(event.data);
    place.querySelector("progress").value = done;
    place.querySelector("[data-step]").textContent = place.getAttribute(`data-step-${step}`) ?? "";
  });
  source.addEventListener("ended", () => { source.close(); window.location.reload(); });
  window.addEventListener("pagehide", () => source.close());
}

const draw = (place) => {
  const dots = JSON.parse(place.dataset.timeline);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const kinds = [["", "--soft"], ["doubt", "--warn"], ["tie", "--accent"], ["named", "--bad"]];
  const times = dots.map((dot) => dot[0]);
  const series = kinds.map(([kind]) => dots.map((dot) => (dot[2] === kind ? dot[1] : null)));
  const narrow = place.clientWidth < 500;
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: "12px system-ui, sans-serif" };
  const clock = (at) => new Date(at * 1000).toLocaleString("sv-SE", { timeZone: "Asia/Tokyo" }).slice(0, 16);
  const span = Math.max((times.at(-1) ?? 0) - (times[0] ?? 0), 60);
  const said = document.querySelector("[data-said]");
  const options = {
    width: place.clientWidth,
    height: narrow ? 240 : 300,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Asia/Tokyo"),
    cursor: { drag: { x: true, y: false }, points: { show: false } },
    legend: { show: false },
    scales: {
      x: { time: true, range: (_, low, high) => (low === high ? [low - span, high + span] : [low - span * 0.04, high + span * 0.04]) },
      y: { range: [0, 105] },
    },
    axes: [{ ...axis, space: narrow ? 70 : 60, incrs: [1, 5, 15, 60, 300, 900, 3600, 10800, 21600, 86400, 604800, 2592000, 7776000, 31536000], values: [
      [86400 * 28, "{YYYY}-{MM}"], [86400, "{MM}-{DD}\n{YYYY}"], [60, "{HH}:{mm}\n{MM}-{DD}"], [0, "{HH}:{mm}:{ss}"],
    ].map(([size, form]) => [size, form, null, null, null, null, null, null, 1]) }, { ...axis, label: place.dataset.share, labelFont: "12px system-ui, sans-serif", size: 46 }],
    series: [{}, ...kinds.map(([kind, ink]) => ({
      show: kind === "" || dots.some((dot) => dot[2] === kind),
      stroke: colour(ink),
      paths: () => null,
      points: { show: true, size: kind === "named" ? 13 : kind === "" ? 6 : 10, fill: kind === "tie" ? colour("--sheet") : colour(ink), width: kind === "tie" ? 3 : 1 },
    }))],
    hooks: { setCursor: [(plot) => {
      const number = plot.cursor.idx;
      if (said) said.textContent = number == null ? "" : `${clock(dots[number][0])}  ${dots[number][3]}  ${dots[number][1]} %`;
    }] },
  };
  const plot = new uPlot(options, [times, ...series], place);
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: options.height })).observe(place);
};

for (const place of document.querySelectorAll("[data-timeline]")) draw(place);
