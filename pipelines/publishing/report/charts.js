"use strict";

/**
 * A histogram of a number with fields for its range. Of a metric, the chart also shows the bounds
 * in force, and has a handle for each end of the range.
 */
class Chart {
  constructor(distribution, changed) {
    this.distribution = distribution;
    this.changed = changed;
    this.inForce = inForce.get(distribution.name) || [null, null];
    this.scale = scaleOf(distribution, this.inForce);
    this.fields = Object.keys(ENDS).map((end, place) => this.makeField(end, place));
    this.handles = inForce.has(distribution.name)
      ? Object.keys(ENDS).map((end, place) => this.makeHandle(end, place)) : [];
    this.bars = makeBars(distribution, this.scale);
    this.figure = element("figure", { class: "chart", "data-number": distribution.name },
      element("figcaption", {}, element("strong", {}, words(distribution.name)),
        element("span", { class: "quiet" }, `median ${shortened(distribution.median)}`)),
      element("div", { class: "plot" }, this.bars, ...this.makeBounds(), ...this.handles),
      element("div", { class: "range" }, this.fields[0], "to", this.fields[1]));
    this.reset();
  }

  get range() {
    return this.fields.map((field) => (field.value === "" ? null : Number(field.value)));
  }

  /** Set the range to the bounds in force. */
  reset() {
    this.fields.forEach((field, place) => { field.value = this.inForce[place] ?? ""; });
    this.handles.forEach((_, place) => this.moveHandle(place));
    this.shade();
  }

  makeField(end, place) {
    const { name, low, high } = this.distribution;
    const field = element("input", {
      type: "number",
      step: "any",
      "aria-label": `${words(name)}, ${ENDS[end]}`,
      placeholder: shortened(place ? high : low),
    });
    field.addEventListener("input", () => {
      if (this.handles.length) this.moveHandle(place);
      this.show(true);
    });
    return field;
  }

  makeHandle(end, place) {
    const { from, to, step } = this.scale;
    const handle = element("input", {
      type: "range", class: `handle ${end}`, min: from, max: to, step, "aria-label": `${words(this.distribution.name)}, ${ENDS[end]}`,
    });
    handle.addEventListener("input", () => this.takeHandle(place));
    handle.addEventListener("change", () => this.show(true));
    return handle;
  }

  /** Take the value of a handle that was moved. A handle at the end of the scale is no bound. */
  takeHandle(place) {
    const handle = this.handles[place], other = this.range[1 - place];
    if (other !== null && (place ? handle.valueAsNumber < other : handle.valueAsNumber > other)) {
      handle.value = other;
    }
    const { from, to } = this.scale;
    const open = place ? handle.valueAsNumber >= to : handle.valueAsNumber <= from;
    this.fields[place].value = open ? "" : handle.value;
    this.moveHandle(place);
    this.show(false);
  }

  moveHandle(place) {
    const handle = this.handles[place], bound = this.range[place];
    const { from, to } = this.scale;
    handle.value = bound ?? (place ? to : from);
    handle.setAttribute("aria-valuetext", bound === null ? "no bound" : shortened(bound));
    // Where the handles meet, the one that has room to move is above the other.
    if (place === 0) handle.classList.toggle("above", handle.valueAsNumber > (from + to) / 2);
  }

  show(ended) {
    this.shade();
    this.changed(this.range, ended);
  }

  /** Grey out the bars outside the range. */
  shade() {
    const { low, high, bins } = this.distribution, [least, most] = this.range;
    const width = (high - low) / bins.length;
    this.bars.querySelectorAll("rect").forEach((bar, bin) => {
      const outside = (least !== null && low + width * (bin + 1) < least)
        || (most !== null && low + width * bin > most);
      bar.classList.toggle("outside", outside);
    });
  }

  /** Returns a line with its value for each bound in force. */
  makeBounds() {
    const { from, to } = this.scale;
    return this.inForce.flatMap((bound, place) => {
      if (bound === null) return [];
      const share = Math.min(1, Math.max(0, (bound - from) / (to - from)));
      const side = share > 0.5 ? "left" : "right";
      const line = element("span", { class: `bound ${side} ${place ? "max" : "min"}` },
        element("span", {}, `${Object.values(ENDS)[place]} ${shortened(bound)}`));
      line.style.left = `${100 * share}%`;
      return [line];
    });
  }
}

/**
 * Returns the scale of a chart: the values, and bounds in force that are not far away, with a
 * margin, at whose ends a handle is no bound. A step is a round number.
 */
function scaleOf({ low, high }, bounds) {
  const span = high - low;
  const near = bounds.filter((bound) => bound !== null && bound > low - span && bound < high + span);
  const least = Math.min(low, ...near), most = Math.max(high, ...near);
  const step = 10 ** Math.floor(Math.log10((most - least) / 100));
  const round = (value, how) => Number((how(value / step) * step).toPrecision(12));
  return {
    from: round(least - 0.04 * (most - least), Math.floor),
    to: round(most + 0.04 * (most - least), Math.ceil),
    step: Number(step.toPrecision(12)),
  };
}

function makeBars({ name, count, low, high, median, bins }, { from, to }) {
  const place = (value) => 300 * (value - from) / (to - from);
  const tallest = Math.max(...bins), width = (high - low) / bins.length;
  const bars = bins.map((rows, bin) => {
    const height = rows ? Math.max(1.5, 60 * rows / tallest) : 0;
    return drawing("rect", {
      x: place(low + bin * width),
      y: 60 - height,
      width: 0.85 * (place(low + width) - place(low)),
      height,
    });
  });
  const middle = place(median);
  return drawing("svg", {
    viewBox: "0 0 300 60",
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": `${words(name)} of ${plural(count, "edit", "edits")}: ${shortened(low)} to `
      + `${shortened(high)}, median ${shortened(median)}`,
  }, ...bars, drawing("line", { x1: middle, x2: middle, y1: 0, y2: 60 }));
}

/** Shows a chart per number. Other ranges than those in force are passed to `choose` by index. */
function showCharts(choose) {
  byId("no-charts").hidden = RUN.distributions.some(({ count }) => count);
  return RUN.distributions.flatMap((distribution, index) => {
    if (!distribution.count) return [];
    const chart = new Chart(distribution, (range, ended) => {
      const isOther = range.some((bound, place) => bound !== chart.inForce[place]);
      if (inForce.has(distribution.name)) {
        onTrial.set(distribution.name, range);
        showTrial();
      }
      if (ended) choose(index, isOther ? range : [null, null]);
    });
    byId("charts").append(chart.figure);
    return [chart];
  });
}
