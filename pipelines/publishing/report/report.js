"use strict";

const CARDS = 24;
const rows = [];
const filters = { status: "", kind: "", reason: null, text: "", ranges: new Map(), order: "" };
let found = [];
let page = 0;
let cards = [];
let filesRead = 0;

/** Called by every rows-NNN.js. */
function addRows(more) {
  for (const row of more) {
    row.text = [row.source_prompt, row.target_prompt, row.source_uri, row.error_type,
      row.error_message, row.row_id].join("\n").toLowerCase();
    rows.push(row);
  }
}

/** Read the files of rows one after the other. The first page is shown after the first file. */
function readRows() {
  if (filesRead === RUN.files) {
    update(page);
    return;
  }
  const name = `rows-${String(filesRead).padStart(3, "0")}.js`;
  const file = element("script", { src: name });
  file.addEventListener("load", () => {
    filesRead += 1;
    if (filesRead === 1) update();
    setTimeout(readRows);
  });
  file.addEventListener("error", () => {
    byId("notice").textContent = `${name} cannot be read: the report is its whole folder.`;
    byId("notice").hidden = false;
  });
  document.head.append(file);
}

function matches(row) {
  const { status, kind, reason, text, ranges } = filters;
  if (status && row.status !== status) return false;
  if (kind && row.target_kind !== kind) return false;
  if (reason && !(row.status === reason.status && (row.error_stage || "") === reason.stage
    && (row.error_type || "") === reason.type)) return false;
  for (const [index, range] of ranges) {
    const value = row.numbers[index];
    if (value === null || !isWithin(value, range)) return false;
  }
  return text.split(/\s+/).every((word) => row.text.includes(word));
}

/** Returns rows in the chosen order. Rows without the number come last in both directions. */
function sorted(some) {
  if (!filters.order) return some;
  const [index, sign] = filters.order.split(" ").map(Number);
  const has = some.filter((row) => row.numbers[index] !== null);
  has.sort((one, other) => sign * (one.numbers[index] - other.numbers[index]));
  return [...has, ...some.filter((row) => row.numbers[index] === null)];
}

/** Apply the filters and show a page of the remaining rows. */
function update(wanted = 0) {
  found = sorted(rows.filter(matches));
  const listed = RUN.listed < RUN.rows ? "listed " : "";
  const filtered = found.length < rows.length ? ` of ${integers.format(rows.length)}` : "";
  const left = RUN.listed - rows.length;
  byId("found").textContent = `${integers.format(found.length)}${filtered} ${listed}`
    + `${rows.length === 1 ? "row" : "rows"}.${left ? ` Reading ${integers.format(left)} more …` : ""}`;
  showChips();
  showPage(wanted);
}

function showPage(wanted) {
  const pages = Math.max(1, Math.ceil(found.length / CARDS));
  page = Math.min(Math.max(wanted, 0), pages - 1);
  byId("page").value = page + 1;
  byId("page").max = pages;
  byId("pages").textContent = integers.format(pages);
  byId("previous").disabled = page === 0;
  byId("next").disabled = page === pages - 1;
  showCards(found.slice(page * CARDS, (page + 1) * CARDS));
}

const inView = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const card = cards.find(({ article }) => article === target);
    if (!card || !card.clips) continue;
    if (isIntersecting) card.clips.load();
    else card.clips.unload();
  }
}, { rootMargin: "200px 0px" });

function showCards(some) {
  const same = some.length === cards.length && some.every((row, index) => cards[index].row === row);
  if (same) return;
  inView.disconnect();
  for (const { clips } of cards) if (clips) clips.unload();
  cards = some.map((row) => ({ row, ...makeCard(row) }));
  byId("cards").replaceChildren(...cards.map(({ article }) => article));
  if (!cards.length) byId("cards").append(element("p", { class: "quiet" }, "No row is like that."));
  for (const { article } of cards) inView.observe(article);
}

/** Shows the filters that were set outside the toolbar, each with a button that removes it. */
function showChips() {
  const chips = [];
  if (filters.reason) {
    chips.push(chip(filters.reason.type || filters.reason.status, () => { filters.reason = null; }));
  }
  if (filters.ranges.size) {
    chips.push(chip("ranges", () => {
      filters.ranges.clear();
      resetCharts();
    }));
  }
  byId("chips").replaceChildren(...chips);
}

function chip(text, undo) {
  const button = element("button", { type: "button", class: "chip", "aria-label": `${text}: show all again` },
    `${text} ×`);
  button.addEventListener("click", () => {
    undo();
    update();
  });
  return button;
}

function setUpToolbar() {
  for (const status of ["", "ok", "rejected", "failed"]) {
    const count = status ? RUN.statuses[status] : RUN.rows;
    const button = element("button", { type: "button", "data-status": status, "aria-pressed": String(status === "") },
      `${status || "all"} `, element("span", { class: "count" }, integers.format(count)));
    button.addEventListener("click", () => chooseStatus(status));
    byId("statuses").append(button);
  }
  byId("kind").append(element("option", { value: "" }, "any"));
  for (const [kind, count] of Object.entries(RUN.kinds)) {
    byId("kind").append(element("option", { value: kind }, `${words(kind)} (${integers.format(count)})`));
  }
  byId("order").append(element("option", { value: "" }, "as listed"));
  RUN.distributions.forEach(({ name, count }, index) => {
    if (!count) return;
    byId("order").append(element("option", { value: `${index} 1` }, `${words(name)}, low first`),
      element("option", { value: `${index} -1` }, `${words(name)}, high first`));
  });
  for (const name of ["kind", "order"]) {
    byId(name).addEventListener("change", (event) => {
      filters[name] = event.target.value;
      update();
    });
  }
  byId("search").addEventListener("input", (event) => {
    filters.text = event.target.value.trim().toLowerCase();
    update();
  });
  byId("toolbar").addEventListener("submit", (event) => event.preventDefault());
}

function chooseStatus(status) {
  filters.status = status;
  for (const button of byId("statuses").children) {
    button.setAttribute("aria-pressed", button.dataset.status === status);
  }
  update();
}

function setUpSwitches() {
  byId("masks").addEventListener("click", (event) => {
    const shown = document.body.classList.toggle("masks");
    event.currentTarget.setAttribute("aria-pressed", shown);
  });
  const label = () => { byId("play").textContent = Clips.playing ? "Pause" : "Play"; };
  label();
  byId("play").addEventListener("click", () => {
    Clips.playing = !Clips.playing;
    label();
    for (const { clips } of cards) if (clips) Clips.playing ? clips.resume() : clips.pause();
  });
}

function setUpPager() {
  const turn = (wanted) => {
    showPage(wanted);
    byId("rows").scrollIntoView();
  };
  byId("previous").addEventListener("click", () => turn(page - 1));
  byId("next").addEventListener("click", () => turn(page + 1));
  byId("page").addEventListener("change", (event) => turn(Number(event.target.value) - 1));
}

/** Set all ranges to the bounds in force. */
function resetCharts() {
  for (const chart of charts) chart.reset();
  for (const [column, bounds] of inForce) onTrial.set(column, bounds);
  showTrial();
}

showSummary();
showOutcomes();
showRun();
showReasons((reason) => {
  filters.reason = reason;
  chooseStatus("");
  byId("rows").scrollIntoView();
});
const charts = showCharts((index, range) => {
  if (range.every((bound) => bound === null)) filters.ranges.delete(index);
  else filters.ranges.set(index, range);
  update();
});
setUpTrial();
setUpToolbar();
setUpSwitches();
setUpPager();
readRows();
