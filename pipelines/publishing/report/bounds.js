"use strict";

/** The words for the two ends of a range. */
const ENDS = { min: "at least", max: "at most" };

/** The bounds of metrics as [min, max] by column, null for none: in force, and on trial. */
const inForce = new Map(RUN.metrics.map(({ column, min, max }) => [column, [min, max]]));
const onTrial = new Map(inForce);

function isWithin(value, [least, most]) {
  return (least === null || value >= least) && (most === null || value <= most);
}

function isOtherThanInForce(column) {
  return onTrial.get(column).some((bound, end) => bound !== inForce.get(column)[end]);
}

/** Counts the edits that are ok under the bounds on trial: all, or estimated from those kept. */
function countOk() {
  const bounded = [...onTrial.values()].map((bounds, index) => [EDITS.values[index], bounds])
    .filter(([, bounds]) => bounds.some((bound) => bound !== null));
  let within = 0;
  for (let edit = 0; edit < EDITS.kept; edit += 1) {
    // A metric that does not apply rejects nothing.
    within += bounded.every(([values, bounds]) => values[edit] === null || isWithin(values[edit], bounds));
  }
  return EDITS.kept ? Math.round(within / EDITS.kept * EDITS.count) : 0;
}

/** Returns a word as the shells of POSIX read it. */
function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Returns the values of `--set` that replace the bounds in force by those on trial. */
function assignments() {
  return RUN.metrics.filter(({ column }) => isOtherThanInForce(column)).flatMap(({ name, column }) => {
    const bounds = onTrial.get(column), ends = Object.keys(ENDS);
    const changed = ends.filter((_, end) => bounds[end] !== inForce.get(column)[end]);
    const removed = bounds.every((bound) => bound === null);
    if (/[.:]/.test(name)) { // A dot in a key separates sections.
      const value = removed ? null : Object.fromEntries(changed.map((end) => [end, bounds[ends.indexOf(end)]]));
      return [`publish.limits=${JSON.stringify({ [name]: value })}`];
    }
    if (removed) return [`publish.limits.${name}=null`];
    return changed.map((end) => `publish.limits.${name}.${end}=${bounds[ends.indexOf(end)]}`);
  });
}

/** Shows how many edits are ok under the bounds on trial, and the command that takes these bounds. */
function showTrial() {
  const { planned, ok, failed } = RUN.outcomes, sets = assignments();
  const crossed = RUN.metrics.find(({ column }) => {
    const [least, most] = onTrial.get(column);
    return least !== null && most !== null && least > most;
  });
  const accepted = sets.length ? countOk() : ok;
  const about = sets.length && EDITS.kept < EDITS.count ? "About " : "";
  byId("verdict").textContent = `${about}${integers.format(accepted)} of `
    + `${plural(planned, "planned edit", "planned edits")} ${sets.length ? "would be" : "are"} ok `
    + `(${percent(accepted, planned)}), ${integers.format(planned - failed - accepted)} rejected, `
    + `${integers.format(failed)} failed.`;
  let note = "Drag the handles of a metric to try other bounds.";
  if (crossed) {
    note = `The least ${words(crossed.name)} is over the largest.`;
  } else if (sets.length) {
    note = `With the bounds in force ${integers.format(ok)} are ok.`;
    if (RUN.record.config.edit.tries) note += " Tries that are not published are not counted.";
    if (about) {
      note += ` Estimated from ${integers.format(EDITS.kept)} of ${integers.format(EDITS.count)} edits.`;
    }
  }
  byId("verdict-note").textContent = note;
  const command = ["strmatch publish --output", quoted(RUN.output),
    ...sets.map((set) => `--set ${quoted(set)}`)].join(" ");
  // Long words break after a dot or slash.
  byId("command").replaceChildren(...command.split(/(?<=[./])/).flatMap((part) => [part, element("wbr")]));
  byId("take").hidden = !sets.length || crossed !== undefined;
  byId("copy").textContent = "Copy";
}

/** Shows the panel of bounds if there are edits with metrics. */
function setUpTrial() {
  byId("trial").hidden = !RUN.metrics.length || !EDITS.count;
  byId("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(byId("command").textContent);
      byId("copy").textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(byId("command"));
      byId("copy").textContent = "Selected";
    }
  });
  showTrial();
}
