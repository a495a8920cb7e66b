"use strict";

/** Creates an element with attributes and children. Strings become text nodes, never HTML. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const integers = new Intl.NumberFormat("en");

function words(name) {
  return name.replaceAll("_", " ");
}

function shortened(value) {
  const rounded = Number(value.toPrecision(3));
  return Math.abs(rounded) >= 1000 ? integers.format(Math.round(value)) : String(rounded);
}

/** The synchronised videos of a row: they start together, and repeat when all have ended. */
class Clips {
  constructor(videos) {
    this.videos = videos;
    for (const video of videos) {
      video.addEventListener("canplay", () => this.resume());
      video.addEventListener("timeupdate", () => this.align());
      video.addEventListener("ended", () => this.resume());
      video.addEventListener("error", () => this.drop(video));
    }
  }

  /** Load the files and play them. */
  load() {
    for (const video of this.videos) {
      video.preload = "auto";
      if (!video.hasAttribute("src")) video.src = video.dataset.src;
    }
    this.resume();
  }

  /** Release files and decoders, whose number a browser limits. */
  unload() {
    for (const video of this.videos) {
      if (!video.hasAttribute("src")) continue;
      video.removeAttribute("src");
      video.load();
    }
  }

  /** Continue without a file that is missing, or that this browser cannot play. */
  drop(video) {
    this.videos = this.videos.filter((other) => other !== video);
    video.parentElement.querySelector("figcaption").textContent = "cannot be played here";
    this.resume();
  }

  /** Play as soon as all videos are ready. */
  resume() {
    const ended = this.videos.filter((video) => video.ended).length;
    const ready = ended === this.videos.length
      || this.videos.every((v) => !v.ended && v.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA);
    if (!ready || !Clips.playing) return;
    // The promise is rejected if the video is paused or removed before it starts.
    for (const video of this.videos) video.play().catch(() => {});
  }

  pause() {
    for (const video of this.videos) video.pause();
    this.align(0);
  }

  /** Set all videos to the time of the first. */
  align(tolerance = 0.1) {
    const [leader, ...others] = this.videos;
    for (const video of others) {
      const apart = Math.abs(video.currentTime - leader.currentTime);
      if (apart > tolerance && !video.ended && !leader.ended) video.currentTime = leader.currentTime;
    }
  }
}

Clips.playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Words for `target_where`. Edits of the subject have none. */
const WHERE = { background: "outside the subject", all: "everywhere" };

/** Returns a row as an <article>, and its Clips or null. */
function makeCard(row) {
  const article = element("article", {
    class: row.videos.length ? "card" : "card bare",
    "data-row": row.row_id,
    "aria-label": row.target_prompt || row.source_uri || row.row_id,
  });
  const stage = element("div", { class: "stage" }, ...makeFigures(row));
  const body = element("div", { class: "body" }, ...makePrompts(row), makeNumbers(row), makeFooter(row));
  article.append(stage, body);
  const videos = [...stage.querySelectorAll("video")];
  return { article, clips: videos.length ? new Clips(videos) : null };
}

function makeFigures(row) {
  const figures = [];
  if (row.videos.includes("source")) {
    const masked = row.videos.includes("mask");
    const figure = element("figure", { class: "source", tabindex: masked ? "0" : null },
      makeVideo(row, "source"));
    if (masked) {
      figure.append(makeVideo(row, "mask"));
      figure.setAttribute("aria-label", "Source; its mask shows while this has the focus");
    }
    figure.append(element("figcaption", {}, masked ? "source · mask" : "source"));
    figures.push(figure);
  }
  if (row.videos.includes("edit")) {
    figures.push(element("figure", { class: "edit" }, makeVideo(row, "edit"),
      element("figcaption", {}, "edit")));
  } else {
    figures.push(makePlaceholder(row));
  }
  return figures;
}

function makeVideo(row, kind) {
  const video = element("video", {
    class: row.width < 200 ? `${kind} small` : kind,
    width: row.width || null,
    height: row.height || null,
    preload: "none",
    playsinline: true,
    "aria-label": kind,
    "data-src": `clips/${encodeURIComponent(row.row_id)}-${kind}.mp4`,
  });
  video.muted = true;
  return video;
}

function makePlaceholder(row) {
  if (row.status === "ok") {
    return element("div", { class: "placeholder quiet" }, "not among the edits shown with clips");
  }
  return element("div", { class: `placeholder ${row.status}` },
    element("strong", {}, row.error_type || row.status),
    element("span", {}, row.error_message || ""));
}

function makePrompts(row) {
  const source = row.source_prompt || "", target = row.target_prompt || "";
  const apart = firstDifference(source, target), edits = row.edits || [row];
  const prompts = [];
  if (source) prompts.push(makePrompt("from", source, edits.map((edit) => edit.source_word), apart));
  if (target) prompts.push(makePrompt("to", target, edits.map((edit) => edit.target_word), apart));
  return prompts;
}

function firstDifference(one, other) {
  let place = 0;
  while (place < one.length && one[place] === other[place]) place += 1;
  return place;
}

/** Returns a prompt with a mark on each swapped word, from the first difference of the prompts on. */
function makePrompt(role, prompt, swapped, apart) {
  const paragraph = element("p", { class: `prompt ${role}` });
  let end = 0;
  for (const mark of placesOf(swapped, prompt, apart)) {
    paragraph.append(prompt.slice(end, mark.start), element("mark", {}, prompt.slice(mark.start, mark.end)));
    end = mark.end;
  }
  paragraph.append(prompt.slice(end));
  return paragraph;
}

/** Returns start and end of each word of a prompt, in order. No two words share a place. */
function placesOf(swapped, prompt, apart) {
  const text = prompt.toLowerCase(), found = [];
  for (const word of swapped.filter(Boolean).map((each) => each.toLowerCase())) {
    const taken = (start) => found.some((other) => start < other.end && other.start < start + word.length);
    const next = (from) => {
      let start = text.indexOf(word, from);
      while (start >= 0 && taken(start)) start = text.indexOf(word, start + 1);
      return start;
    };
    const behind = next(Math.max(0, apart - word.length + 1));
    const start = behind < 0 ? next(0) : behind;
    if (start >= 0) found.push({ start, end: start + word.length });
  }
  return found.sort((one, other) => one.start - other.start);
}

function makeNumbers(row) {
  const list = element("dl", { class: "numbers" });
  RUN.distributions.forEach(({ name }, index) => {
    const value = row.numbers[index];
    if (value === null) return;
    list.append(element("div", {}, element("dt", {}, words(name)), element("dd", {}, shortened(value))));
  });
  return list;
}

function makeFooter(row) {
  const footer = element("footer", {}, element("span", { class: `status ${row.status}` }, row.status));
  if (row.target_kind) footer.append(element("span", {}, words(row.target_kind)));
  (row.edits || []).forEach((edit, number) => {
    const metrics = Object.entries((row.edit_metrics || [])[number] || {});
    const values = metrics.map(([name, value]) => `${words(name)} ${value === null ? "–" : shortened(value)}`);
    footer.append(element("span", {}, [edit.words || "background", ...values].join(", ")));
  });
  if (row.target_where in WHERE) footer.append(element("span", {}, WHERE[row.target_where]));
  if (row.edit_where === "all" && row.target_where !== "all") {
    footer.append(element("span", {}, "without a mask"));
  }
  if (row.composited === "frame") {
    footer.append(element("span", { title: "not laid over the source's own pixels" }, "enlarged"));
  }
  if (row.edit_try > 0) {
    const reasons = (row.earlier_tries || []).map((reason, number) => `try ${number + 1}: ${reason}`);
    footer.append(element("span", { title: reasons.join("\n") }, `try ${row.edit_try + 1}`));
  }
  // A rejected row can have an edit, beside which its reason has no other place.
  if (row.status !== "ok" && row.videos.includes("edit")) {
    footer.append(element("span", { class: "why" }, `${row.error_type}: ${row.error_message || ""}`));
  }
  if (row.measure_message) {
    footer.append(element("span", { class: "why" }, `not measured: ${row.measure_message}`));
  }
  if (row.num_frames && row.fps) {
    footer.append(element("span", {}, `${row.num_frames} frames, ${(row.num_frames / row.fps).toFixed(1)} s`));
  }
  if (row.source_uri) {
    const from = row.start_seconds === undefined ? "" : ` from ${row.start_seconds.toFixed(2)} s`;
    footer.append(element("span", { class: "uri" }, `${row.source_uri}${from}`));
  }
  footer.append(element("code", { title: row.row_id }, row.row_id.slice(0, 8)));
  return footer;
}
