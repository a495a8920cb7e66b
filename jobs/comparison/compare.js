"use strict";

let pairs = [];

function byId(id) {
  return document.getElementById(id);
}

function showSummary() {
  const names = Object.keys(RUN.editors);
  const listed = ROWS.length < RUN.rows
    ? ` Listed are ${integers.format(ROWS.length)} that the seed chose.` : "";
  byId("summary").textContent = `${names.join(", ")} on the same clips and targets: `
    + `${integers.format(RUN.rows)} edits by each.${listed}`;
  byId("first").textContent = names[0];
}

function showFigures() {
  const table = byId("figures");
  table.tHead.rows[0].append(element("th", { scope: "col" }, "Mean"),
    ...Object.keys(RUN.editors).map((name) => element("th", { scope: "col" }, name)));
  for (const { label, cells } of RUN.figures) {
    table.tBodies[0].append(element("tr", {}, element("th", { scope: "row" }, label), ...cells.map(makeCell)));
  }
}

function makeCell({ value, difference, pairs: count, certain }) {
  const cell = element("td", {}, value);
  if (difference !== undefined) {
    cell.append(element("span", { class: certain ? "certain" : null, title: `${count} pairs` }, difference));
  }
  return cell;
}

/** Returns a clip and target as an <article>, with the source and all edits beside each other. */
function makePair(row) {
  const names = Object.keys(RUN.editors);
  const [first] = row.edits;
  const stage = element("div", { class: "stage" });
  if (first.videos.includes("source")) {
    const [source] = makeFigures(first);
    stage.append(element("div", {}, element("h3", {}, "source"), source));
  }
  row.edits.forEach((edit, index) => {
    const [made] = makeFigures({ ...edit, videos: edit.videos.filter((kind) => kind === "edit") });
    stage.append(element("div", { "data-editor": names[index] },
      element("h3", {}, names[index], " ", element("span", { class: `status ${edit.status}`, title: edit.error_message }, edit.status)),
      made, makeNumbers(edit)));
  });
  const from = `${row.source_uri} from ${(row.start_seconds || 0).toFixed(2)} s`;
  const article = element("article", { class: "pair", "aria-label": row.target_prompt },
    ...makePrompts(row), element("span", { class: "uri" }, from), stage);
  return { row, article, clips: new Clips([...stage.querySelectorAll("video")]) };
}

const inView = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const { clips } = pairs.find(({ article }) => article === target);
    if (isIntersecting) clips.load();
    else clips.unload();
  }
}, { rootMargin: "200px 0px" });

/** Shows all pairs, or those on which the editors' verdicts differ. */
function filter(onlyUnequal) {
  let shown = 0;
  for (const { row, article } of pairs) {
    const unequal = new Set(row.edits.map(({ status }) => status)).size > 1;
    article.hidden = onlyUnequal && !unequal;
    shown += article.hidden ? 0 : 1;
  }
  byId("found").textContent = `${integers.format(shown)} of ${integers.format(pairs.length)}`;
}

function setUpSwitches() {
  byId("differ").addEventListener("click", ({ currentTarget }) => {
    const wanted = currentTarget.getAttribute("aria-pressed") !== "true";
    currentTarget.setAttribute("aria-pressed", wanted);
    filter(wanted);
  });
  byId("masks").addEventListener("click", ({ currentTarget }) => {
    currentTarget.setAttribute("aria-pressed", document.body.classList.toggle("masks"));
  });
  const label = () => { byId("play").textContent = Clips.playing ? "Pause" : "Play"; };
  label();
  byId("play").addEventListener("click", () => {
    Clips.playing = !Clips.playing;
    label();
    for (const { clips } of pairs) Clips.playing ? clips.resume() : clips.pause();
  });
}

showSummary();
showFigures();
pairs = ROWS.map(makePair);
byId("pairs").append(...pairs.map(({ article }) => article));
for (const { article } of pairs) inView.observe(article);
filter(false);
setUpSwitches();
