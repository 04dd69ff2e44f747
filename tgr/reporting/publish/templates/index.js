"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.data.map((values) => Object.fromEntries(data.columns.map((name, i) => [name, values[i]])));
const filters = { scenario: "Scenario", dataset: "Unseen classes of", shot: "Images a class", protocol: "Adapted by", selection: "Checkpoint chosen by" };
const columns = [
  ["label", "Method"], ["mean", "Accuracy (%)"], ["ci95", "95 % CI (±)"], ["n_episodes", "Episodes (n)"], ["n_seeds", "Seeds (n)"],
  ["seed_std", "SD over seeds"], ["difference", "Paired difference"], ["difference_ci95", "its 95 % CI (±)"], ["p_holm", "p (Holm)"],
];
const state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
let order = { by: "mean", down: true };

const percent = (share, digits = 1) => (share === null ? "–" : (100 * share).toFixed(digits).replace("-", "−"));
const probability = (p, equals = "") => (p === null ? "–" : p < 0.001 ? "< 0.001" : equals + p.toFixed(3));
const named = (kind, value) => (kind === "shot" ? `${value}` : data.names[kind]?.[value] ?? value);

function element(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "line", "path", "text", "title"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/* The filters narrow one after the other: only values that occur together can be chosen. */
function choose() {
  let left = rows;
  const form = document.getElementById("filters");
  const held = document.activeElement?.id;
  form.replaceChildren();
  for (const [kind, title] of Object.entries(filters)) {
    const values = [...new Set(left.map((row) => String(row[kind])))];
    if (!values.includes(state[kind])) state[kind] = values.includes(data.defaults[kind]) ? data.defaults[kind] : values[0];
    left = left.filter((row) => String(row[kind]) === state[kind]);
    const select = element("select", { id: kind });
    for (const value of values) {
      const option = element("option", { value }, named(kind, value));
      option.selected = value === state[kind];
      select.append(option);
    }
    select.addEventListener("change", () => { state[kind] = select.value; draw(); });
    form.append(element("label", { for: kind }, title, select));
  }
  if (filters[held]) document.getElementById(held).focus();
  return left;
}

function sorted(shown) {
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : (a ?? -Infinity) - (b ?? -Infinity));
  return [...shown].sort((a, b) => compare(a[order.by], b[order.by]) * (order.down ? -1 : 1));
}

function description(row) {
  const lines = [
    row.label,
    `${percent(row.mean)} % ± ${percent(row.ci95)} (95 % CI: ${percent(row.mean - row.ci95)} to ${percent(row.mean + row.ci95)} %)`,
    `n = ${row.n_episodes} episodes, ${row.n_seeds} seed${row.n_seeds === 1 ? "" : "s"}`,
  ];
  if (row.seed_std !== null) lines.push(`standard deviation over seeds: ${percent(row.seed_std)}`);
  if (row.difference !== null)
    lines.push(`paired difference to ${row.reference}: ${percent(row.difference)} ± ${percent(row.difference_ci95)} (p by Holm ${probability(row.p_holm, "= ")})`);
  if (row.below_floor) lines.push("below the floor");
  if (row.last_below_random) lines.push("its last checkpoint is below an untrained network (nearest class mean)");
  return lines.join("\n");
}

function chart(shown, title) {
  const line = 26, left = 190, width = 900, top = 24, bottom = 40;
  const height = top + line * shown.length + bottom;
  const marks = ["floor", "ceiling"].map((role) => [role, reference(shown[0], role)]).filter(([, share]) => share !== null);
  const ends = [...shown.map((row) => row.mean + row.ci95), ...marks.map(([, share]) => share)];
  const most = Math.min(1, Math.max(0.1, Math.ceil(10 * Math.max(...ends)) / 10));
  const x = (share) => left + (share / most) * (width - left - 70);
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": title });
  for (let tick = 0; tick <= most + 1e-9; tick += most > 0.5 ? 0.1 : 0.05) {
    svg.append(element("line", { class: "grid", x1: x(tick), x2: x(tick), y1: top, y2: height - bottom }));
    svg.append(element("text", { class: "soft", x: x(tick), y: height - bottom + 16, "text-anchor": "middle" }, percent(tick, 0)));
  }
  svg.append(element("text", { class: "soft", x: x(most / 2), y: height - 6, "text-anchor": "middle" }, `accuracy (%), n = ${shown[0].n_episodes} episodes`));
  shown.forEach((row, i) => {
    const y = top + line * i, middle = y + line / 2;
    const [low, high] = [x(Math.max(0, row.mean - row.ci95)), x(Math.min(1, row.mean + row.ci95))];
    const bar = element("g", { class: `row ${row.role === "method" ? "" : "aside"}`, tabindex: 0, role: "img", "aria-label": description(row) });
    bar.append(
      element("rect", { x: 0, y, width, height: line, fill: "transparent" }),
      element("rect", { class: "bar", x: left, y: y + 5, width: Math.max(0, x(row.mean) - left), height: line - 10 }),
      element("path", { class: "whisker", d: `M${low} ${middle - 4}v8m0-4H${high}m0-4v8` }),
      element("text", { class: row.as_good_as_best ? "best" : "", x: left - 8, y: middle + 4, "text-anchor": "end" }, row.label),
      element("text", { class: "soft", x: high + 6, y: middle + 4 }, percent(row.mean)),
    );
    const near = (event) => tip(description(row), event);
    bar.addEventListener("pointermove", near);
    bar.addEventListener("focus", near);
    for (const name of ["pointerleave", "blur"]) bar.addEventListener(name, () => tip(null));
    svg.append(bar);
  });
  for (const [role, share] of marks) {
    svg.append(element("line", { class: role, x1: x(share), x2: x(share), y1: top, y2: height - bottom }));
    svg.append(element("text", { class: "soft", x: x(share), y: top - 8, "text-anchor": "middle" }, `${role} ${percent(share)}`));
  }
  return svg;
}

/* The floor knows one protocol, and serves all. */
function reference(like, role) {
  const keys = ["scenario", "dataset", "shot", "selection", ...(role === "ceiling" ? ["protocol"] : [])];
  return rows.find((row) => row.role === role && keys.every((key) => row[key] === like[key]))?.mean ?? null;
}

function tip(text, event) {
  const box = document.getElementById("tip");
  box.hidden = text === null;
  if (text === null) return;
  box.textContent = text;
  const at = event.type === "focus" ? event.target.getBoundingClientRect() : { left: event.clientX, bottom: event.clientY };
  const most = [innerWidth - box.offsetWidth - 8, innerHeight - box.offsetHeight - 8];
  box.style.left = `${Math.max(0, Math.min(at.left + 12, most[0]))}px`;
  box.style.top = `${Math.max(0, Math.min(at.bottom + 12, most[1]))}px`;
}

function table(shown) {
  const used = columns.filter(([key]) => key === order.by || shown.some((row) => row[key] !== null));
  const head = element("tr");
  for (const [key, title] of used) {
    const button = element("button", { type: "button" }, title);
    button.addEventListener("click", () => { order = { by: key, down: order.by === key ? !order.down : key !== "label" }; draw(); });
    const direction = order.by !== key ? "none" : order.down ? "descending" : "ascending";
    head.append(element("th", { scope: "col", "aria-sort": direction }, button, { descending: " ▾", ascending: " ▴", none: "" }[direction]));
  }
  document.querySelector("#table thead").replaceChildren(head);
  const shares = ["mean", "ci95", "seed_std", "difference", "difference_ci95"];
  const body = shown.map((row) => {
    const cells = used.map(([key]) => {
      if (shares.includes(key)) return percent(row[key]);
      return key === "p_holm" ? probability(row[key]) : String(row[key]);
    });
    return element("tr", row.as_good_as_best ? { class: "best" } : {}, ...cells.map((text) => element("td", {}, text)));
  });
  document.querySelector("#table tbody").replaceChildren(...body);
}

function links(scenario) {
  const others = new Set(rows.map((row) => row.scenario).filter((name) => name !== scenario));
  const own = data.files.filter((file) => !others.has(file.split("/")[1]));
  const items = own.map((file) => element("li", {}, element("a", { href: file }, file)));
  document.getElementById("links").replaceChildren(...items);
}

function download(name, chosen) {
  const quoted = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value ?? "");
  const lines = [data.columns, ...chosen.map((row) => data.columns.map((column) => row[column]))];
  const text = lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n";
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function draw() {
  const shown = sorted(choose());
  const title = `${state.scenario}, ${named("dataset", state.dataset)}: ${state.shot}-shot, ${named("protocol", state.protocol)}, checkpoint by ${named("selection", state.selection)}`;
  document.getElementById("title").textContent = title;
  document.getElementById("chart").replaceChildren(chart(shown, title));
  table(shown);
  links(state.scenario);
  tip(null);
  if (location.protocol !== "data:") history.replaceState(null, "", `#${new URLSearchParams(state)}`);
  document.getElementById("download").onclick = () => download(`${Object.keys(filters).map((kind) => state[kind]).join("-")}.csv`, shown);
  document.getElementById("download-all").onclick = () => download("tgr-bench.csv", rows);
}

window.addEventListener("hashchange", () => { Object.assign(state, Object.fromEntries(new URLSearchParams(location.hash.slice(1)))); draw(); });
draw();
