"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.data.map((values) => Object.fromEntries(data.columns.map((name, i) => [name, values[i]])));
const spread = `over ${rows.some((row) => row.trainings.some((each) => each.replicate !== undefined)) ? "replicates" : "seeds"}`;
const filters = { scenario: "Scenario", comparison: "Compared", dataset: "Unseen classes of", shot: "Images a class", protocol: "Adapted by", selection: "Checkpoint chosen by" };
const columns = [
  ["label", "Method"], ["mean", "Accuracy (%)"], ["ci95", "95 % CI (±)"], ["n_episodes", "Episodes (n)"], ["n_seeds", "Seeds (n)"],
  ["seed_std", `SD ${spread}`], ["difference", "Paired difference"], ["difference_ci95", "its 95 % CI (±)"], ["p_holm", "p (Holm)"],
  ["gradient_cosine", "Cosine of gradients"], ["relative_variance", "Relative variance"],
];
const state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
let order = { by: "mean", down: true };
let fit = () => {};

const percent = (share, digits = 1) => (share === null ? "–" : (100 * share).toFixed(digits).replace("-", "−"));
const probability = (p, equals = "") => (p === null ? "–" : p < 0.001 ? "< 0.001" : equals + p.toFixed(3));
const training = ({ replicate, seed }) => (replicate === undefined ? `seed ${seed}` : `replicate ${replicate}, seed ${seed}`);
const number = (value) => (value === null ? "–" : value.toPrecision(3).replace("-", "−"));
const named = (kind, value) => (kind === "shot" ? `${value}` : data.names[kind]?.[value] ?? value);

function element(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "line", "path", "circle", "text", "tspan"].includes(name);
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
  if (row.seed_std !== null) lines.push(`standard deviation ${spread}: ${percent(row.seed_std)}`);
  if (row.trainings.length > 1) lines.push(row.trainings.map((each) => `${training(each)}: ${percent(each.mean)}`).join("; "));
  if (row.difference !== null)
    lines.push(`paired difference to ${row.reference}: ${percent(row.difference)} ± ${percent(row.difference_ci95)} (p by Holm ${probability(row.p_holm, "= ")})`);
  if (row.below_floor) lines.push("below the floor");
  if (row.last_below_random) lines.push("its last checkpoint is below an untrained network (nearest class mean)");
  return lines.join("\n");
}

/* Words fill lines of so many characters; a longer word keeps its line to itself. */
function wrap(text, most) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1) && lines.at(-1).length + 1 + word.length > most) lines.push(word);
    else lines.push(`${lines.pop()} ${word}`.trim());
  }
  return lines;
}

/* Drawn at the width that there is, so that letters keep their size on a telephone. */
function chart(shown, title, width) {
  const narrow = width < 600, letter = 7, line = 15, top = 24, bottom = 40;
  const labels = shown.map((row) => wrap(row.label, narrow ? 15 : 34));
  const left = 14 + letter * Math.min(narrow ? 18 : 38, Math.max(...labels.flat().map((text) => text.length)));
  const heights = labels.map((lines) => line * lines.length + 11);
  const height = top + heights.reduce((sum, each) => sum + each, 0) + bottom;
  const marks = ["floor", "ceiling"].map((role) => [role, reference(shown[0], role)]).filter(([, share]) => share !== null);
  const far = (row) => Math.max(row.mean + row.ci95, ...row.trainings.map(({ mean }) => mean));
  const most = Math.min(1, Math.max(0.1, Math.ceil(10 * Math.max(...shown.map(far), ...marks.map(([, share]) => share))) / 10));
  const x = (share) => left + (Math.max(0, Math.min(1, share)) / most) * (width - left - 48);
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": title });
  const step = (most > 0.5 ? 0.1 : 0.05) * (narrow ? 2 : 1);
  for (let tick = 0; tick <= most + 1e-9; tick += step) {
    svg.append(element("line", { class: "grid", x1: x(tick), x2: x(tick), y1: top, y2: height - bottom }));
    svg.append(element("text", { class: "soft", x: x(tick), y: height - bottom + 16, "text-anchor": "middle" }, percent(tick, 0)));
  }
  svg.append(element("text", { class: "soft", x: x(most / 2), y: height - 6, "text-anchor": "middle" }, `accuracy (%), n = ${shown[0].n_episodes} episodes`));
  let y = top;
  shown.forEach((row, i) => {
    const middle = y + heights[i] / 2, low = x(row.mean - row.ci95), high = x(row.mean + row.ci95);
    const several = row.trainings.length > 1 ? row.trainings : [];
    const label = element("text", { class: row.as_good_as_best ? "best" : "", x: left - 8, "text-anchor": "end" });
    const first = middle + 4 - (line * (labels[i].length - 1)) / 2;
    label.append(...labels[i].map((text, n) => element("tspan", { x: left - 8, y: first + line * n }, text)));
    const bar = element("g", { class: `row ${row.role === "method" ? "" : "aside"}`, tabindex: 0, role: "img", "aria-label": description(row) });
    bar.append(
      element("rect", { x: 0, y, width, height: heights[i], fill: "transparent" }),
      element("rect", { class: "bar", x: left, y: middle - 8, width: Math.max(0, x(row.mean) - left), height: 16 }),
      element("path", { class: "whisker", d: `M${low} ${middle - 4}v8m0-4H${high}m0-4v8` }),
      ...several.map(({ mean }) => element("circle", { class: "training", cx: x(mean), cy: middle + 6, r: 3 })),
      label,
      element("text", { class: "soft", x: x(far(row)) + 6, y: middle + 4 }, percent(row.mean)),
    );
    const near = (event) => tip(description(row), event);
    bar.addEventListener("pointermove", near);
    bar.addEventListener("focus", near);
    for (const name of ["pointerleave", "blur"]) bar.addEventListener(name, () => tip(null));
    svg.append(bar);
    y += heights[i];
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
    const mark = { descending: "\u00a0▾", ascending: "\u00a0▴" }[direction];
    if (mark) button.append(element("span", { "aria-hidden": "true" }, mark));
    head.append(element("th", { scope: "col", "aria-sort": direction }, button));
  }
  document.querySelector("#table thead").replaceChildren(head);
  const shares = ["mean", "ci95", "seed_std", "difference", "difference_ci95"];
  const body = shown.map((row) => {
    const cells = used.map(([key]) => {
      if (shares.includes(key)) return percent(row[key]);
      if (key === "p_holm") return probability(row[key]);
      return typeof row[key] === "string" || key.startsWith("n_") ? String(row[key]) : number(row[key]);
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
  const plain = (value) => (Array.isArray(value) ? value.map((each) => `${training(each)}: ${each.mean}`).join("; ") : value);
  const quoted = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value ?? "");
  const lines = [data.columns, ...chosen.map((row) => data.columns.map((column) => plain(row[column])))];
  const text = lines.map((line) => line.map(quoted).join(",")).join("\n") + "\n";
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function draw() {
  const shown = sorted(choose());
  const compared = state.comparison === data.defaults.comparison ? "" : `, ${named("comparison", state.comparison)}`;
  const title = `${state.scenario}, ${named("dataset", state.dataset)}${compared}: ${state.shot}-shot, ${named("protocol", state.protocol)}, checkpoint by ${named("selection", state.selection)}`;
  document.getElementById("title").textContent = title;
  fit = () => {
    const place = document.getElementById("chart");
    place.replaceChildren(chart(shown, title, Math.max(300, place.clientWidth)));
  };
  fit();
  table(shown);
  links(state.scenario);
  tip(null);
  if (location.protocol !== "data:") history.replaceState(null, "", `#${new URLSearchParams(state)}`);
  document.getElementById("download").onclick = () => download(`${Object.keys(filters).map((kind) => state[kind]).join("-")}.csv`, shown);
  document.getElementById("download-all").onclick = () => download("tgr-bench.csv", rows);
}

window.addEventListener("hashchange", () => { Object.assign(state, Object.fromEntries(new URLSearchParams(location.hash.slice(1)))); draw(); });
addEventListener("resize", () => fit());
draw();
