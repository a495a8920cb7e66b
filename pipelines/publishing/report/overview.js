"use strict";

const SVG = "http://www.w3.org/2000/svg";

function drawing(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function byId(id) {
  return document.getElementById(id);
}

function plural(count, one, many) {
  return `${integers.format(count)} ${count === 1 ? one : many}`;
}

/** Formats seconds for reading. */
function duration(seconds) {
  if (seconds < 60) return `${shortened(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function showSummary() {
  const { ok, rejected, failed } = RUN.statuses;
  const started = (RUN.record.started || "").slice(0, 10);
  byId("run-name").textContent = ["STR-Match", RUN.record.config.preset, started].join(" · ");
  let text = `${plural(RUN.rows, "row", "rows")}: ${integers.format(ok)} ok, `
    + `${integers.format(rejected)} rejected, ${integers.format(failed)} failed.`;
  if (RUN.listed < RUN.rows) {
    text += ` Listed are ${integers.format(RUN.sample)} edits that the seed chose and `
      + `${integers.format(RUN.listed - RUN.sample)} other rows, failures first; counts and `
      + "distributions are of all rows.";
  }
  byId("summary").textContent = text;
  for (const status of ["ok", "rejected", "failed"]) {
    const part = element("span", { class: status });
    part.style.flexGrow = RUN.statuses[status];
    byId("share").append(part);
  }
}

function showRun() {
  const { record } = RUN, { config } = record;
  const facts = [
    ["Preset", config.preset],
    ["Editor", config.editor],
    ["Model", record.model_revision],
    ["Seed", config.seed],
    ["Input", record.input],
    ["Output", RUN.output],
    ["Versions", Object.entries(record.versions).map((pair) => pair.join(" ")).join(", ")],
  ];
  for (const [name, value] of facts) {
    if (value === null || value === undefined) continue;
    byId("facts").append(element("dt", {}, name), element("dd", {}, String(value)));
  }
  for (const [name, { seconds, ...counts }] of Object.entries(record.phases)) {
    const did = Object.entries(counts).map(([what, count]) => `${words(what)} ${integers.format(count)}`);
    byId("phases").tBodies[0].append(element("tr", {}, element("th", { scope: "row" }, name),
      element("td", { class: "number" }, duration(seconds)), element("td", {}, did.join(", "))));
  }
  byId("settings").textContent = JSON.stringify(config, null, 2);
}

/** Lists the reasons of rows that are not ok. A selected reason is passed to `choose`. */
function showReasons(choose) {
  for (const [status, stage, type, count] of RUN.reasons) {
    const button = element("button", { type: "button", class: `reason ${status}` }, type || status);
    button.addEventListener("click", () => choose({ status, stage, type }));
    byId("reasons").tBodies[0].append(element("tr", {}, element("td", {}, button),
      element("td", {}, stage), element("td", { class: "number" }, integers.format(count))));
  }
  byId("reasons").hidden = !RUN.reasons.length;
  byId("no-reasons").hidden = RUN.reasons.length > 0;
}

/** Shows a histogram per number with inputs for its range. A change is passed to `choose`. */
function showCharts(choose) {
  RUN.distributions.forEach((distribution, index) => {
    if (!distribution.count) return;
    const name = words(distribution.name);
    const [least, most] = ["at least", "at most"].map((bound) => element("input", {
      type: "number",
      step: "any",
      "aria-label": `${name}, ${bound}`,
      placeholder: shortened(bound === "at least" ? distribution.low : distribution.high),
    }));
    const bars = makeBars(distribution);
    const changed = () => {
      const range = [least, most].map((input) => (input.value === "" ? null : Number(input.value)));
      shade(bars, distribution, range);
      choose(index, range);
    };
    least.addEventListener("input", changed);
    most.addEventListener("input", changed);
    byId("charts").append(element("figure", { class: "chart", "data-number": distribution.name },
      element("figcaption", {}, element("strong", {}, name),
        element("span", { class: "quiet" }, `median ${shortened(distribution.median)}`)),
      bars, element("div", { class: "range" }, least, "to", most)));
  });
}

function makeBars({ name, count, low, high, median, bins }) {
  const tallest = Math.max(...bins), width = 300 / bins.length;
  const bars = bins.map((rows, bin) => {
    const height = rows ? Math.max(1.5, 60 * rows / tallest) : 0;
    return drawing("rect", { x: bin * width, y: 60 - height, width: width - 1.5, height });
  });
  const middle = 300 * (median - low) / (high - low);
  return drawing("svg", {
    viewBox: "0 0 300 60",
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": `${words(name)} of ${plural(count, "edit", "edits")}: ${shortened(low)} to `
      + `${shortened(high)}, median ${shortened(median)}`,
  }, ...bars, drawing("line", { x1: middle, x2: middle, y1: 0, y2: 60 }));
}

/** Grey out the bars outside a range. */
function shade(chart, { low, high, bins }, [least, most]) {
  const width = (high - low) / bins.length;
  chart.querySelectorAll("rect").forEach((bar, bin) => {
    const outside = (least !== null && low + width * (bin + 1) < least)
      || (most !== null && low + width * bin > most);
    bar.classList.toggle("outside", outside);
  });
}

function clearCharts() {
  document.querySelectorAll(".chart input").forEach((input) => { input.value = ""; });
  document.querySelectorAll(".chart rect").forEach((bar) => bar.classList.remove("outside"));
}
