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

/** Formats a share of a total for reading. */
function percent(count, total) {
  return `${Math.round(100 * count / Math.max(1, total))}\u00a0%`;
}

function showSummary() {
  const { planned, ok, rejected, failed } = RUN.outcomes;
  const started = (RUN.record.started || "").slice(0, 10);
  byId("run-name").textContent = ["STR-Match", RUN.record.config.preset, started].join(" · ");
  let text = `${plural(planned, "planned edit", "planned edits")}: ${integers.format(ok)} ok`
    + `${planned ? ` (${percent(ok, planned)})` : ""}, ${integers.format(rejected)} rejected, `
    + `${integers.format(failed)} failed.`;
  const without = RUN.rows - planned;
  if (without) {
    text += ` ${plural(without, "clip or source has", "clips and sources have")} no edit.`;
  }
  if (RUN.listed < RUN.rows) {
    text += ` Listed are ${integers.format(RUN.sample)} edits that the seed chose and `
      + `${integers.format(RUN.listed - RUN.sample)} other rows, failures first; counts and `
      + "distributions are of all rows.";
  }
  byId("summary").textContent = text;
  for (const status of ["ok", "rejected", "failed"].filter((name) => RUN.outcomes[name])) {
    const part = element("span", { class: status });
    part.style.flexGrow = RUN.outcomes[status];
    byId("share").append(part);
  }
}

/** Lists the yield by kind of edit, and the edits that each bound in force rejects. */
function showOutcomes() {
  const { kinds, bounds, by_several: several } = RUN.outcomes;
  for (const { kind, planned, ok } of kinds) {
    byId("kinds").tBodies[0].append(element("tr", {}, element("th", { scope: "row" }, words(kind || "given")),
      element("td", { class: "number" }, `${integers.format(ok)} of ${integers.format(planned)}`),
      element("td", { class: "number" }, percent(ok, planned))));
  }
  byId("of-kinds").hidden = !kinds.length;
  for (const { metric, end, value, edits } of bounds) {
    byId("bounds").tBodies[0].append(element("tr", {},
      element("th", { scope: "row" }, `${words(metric)} ${ENDS[end]} ${shortened(value)}`),
      element("td", { class: "number" }, integers.format(edits))));
  }
  byId("several").textContent = several
    ? `An edit outside several bounds counts at each: ${plural(several, "edit", "edits")}.` : "";
  byId("of-bounds").hidden = !bounds.length;
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
  byId("no-reasons").textContent = RUN.rows ? "Every row is ok." : "There are no rows.";
}
