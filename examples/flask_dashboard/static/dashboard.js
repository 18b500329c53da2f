// The table. Rows come as server-sent events and are merged once per frame; only those in view are in the document.
// Whatever the cluster says is put there as text, never as markup.

const COLUMNS = ["name", "status", "ready", "restarts", "age", "kind", "namespace", "node", "labels"];
const AROUND = 12;        // rows above and below those in view
const FRESH = 2_000;      // ms for which a row that changed is marked
const AGAIN = 5_000;      // ms until the next attempt, where the browser makes none by itself

const byId = (id) => document.getElementById(id);
const [view, table, body, filter, kind] = ["scroll", "table", "rows", "filter", "kind"].map(byId);
const silence = Number(view.dataset.silence);   // ms without a word, after which the connection is taken for dead

// --- What is known -----------------------------------------------------------------------------------------------

const rows = new Map();     // by key
let shown = [];             // of these, what the filters leave, in order
let order = { column: "name", step: 1 };
let complete = false;       // whether all that the server has was here once
let ready = false;          // whether the server has all that the cluster has

let news = new Map();       // by key, since the last frame: a row, or null for one that is gone
let rearrange = false;
let whole = false;          // whether that is all there is
let awaited = false;        // whether there is a frame to come

function soon() {
  if (!awaited) {
    awaited = true;
    requestAnimationFrame(frame);
  }
}

function frame() {
  awaited = false;
  for (const [key, row] of news) {
    if (row === null) rows.delete(key);
    else rows.set(key, prepared(row, rows.get(key)));
  }
  if (news.size > 0 || rearrange) {
    const [top] = inView();
    const anchor = view.scrollTop > 0 && !rearrange ? shown[top] : undefined;
    arrange();
    if (anchor) keepInPlace(anchor.key, top);
    news.clear();
    rearrange = false;
  }
  complete ||= whole;
  draw();
}

/** The row, with what it is found and sorted by. */
function prepared(row, before) {
  const [up, of] = row.ready.split("/").map(Number);
  row.words = COLUMNS.map((column) => row[column] ?? "").join(" ").toLowerCase();
  row.ranks = { ...row, ready: of ? up / of : 1, restarts: row.restarts ?? -1, age: -row.created };
  const changed = complete && before?.words !== row.words;
  row.changed = changed ? performance.now() : before?.changed ?? -FRESH;
  return row;
}

function arrange() {
  const words = filter.value.toLowerCase().split(/\s+/);
  const { column, step } = order;
  shown = [...rows.values()]
    .filter((row) => (!kind.value || row.kind === kind.value) && words.every((word) => row.words.includes(word)))
    .sort((a, b) => compared(a.ranks[column], b.ranks[column]) * step || compared(a.key, b.key));
}

function compared(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

// --- What is drawn -----------------------------------------------------------------------------------------------

let height = 36;            // px of a row
const drawn = new Map();    // by key: the <tr>
const spare = [];           // <tr>s to be used again
const [above, below] = [filler(), filler()];
body.append(above, below);

/** First and last row that can be seen. */
function inView() {
  return [Math.floor(view.scrollTop / height), Math.ceil((view.scrollTop + view.clientHeight) / height)];
}

/** Have what is being read stay where it is, whatever comes or goes above it. */
function keepInPlace(key, top) {
  const now = shown.findIndex((row) => row.key === key);
  if (now >= 0 && now !== top) {
    sizeFillers(0, 0);
    view.scrollTop += (now - top) * height;
  }
}

function draw() {
  const [top, bottom] = inView();
  const last = Math.min(shown.length, bottom + AROUND);
  const first = Math.max(0, Math.min(last, top - AROUND));
  const wanted = shown.slice(first, last);
  const keys = new Set(wanted.map((row) => row.key));
  for (const [key, element] of drawn) {
    if (!keys.has(key)) {
      drawn.delete(key);
      element.remove();
      spare.push(element);
    }
  }
  let next = above.nextSibling;
  wanted.forEach((row, number) => {
    let element = drawn.get(row.key);
    if (!element) drawn.set(row.key, element = spare.pop() ?? newRow());
    fill(element, row, first + number);
    if (element === next) next = next.nextSibling;
    else body.insertBefore(element, next);
  });
  sizeFillers(first, last);
  tell();
  const real = drawn.values().next().value?.getBoundingClientRect().height;
  if (real && Math.abs(real - height) > 0.1) {  // the font is larger, say
    height = real;
    soon();
  }
}

function sizeFillers(first, last) {
  above.firstChild.style.height = `${first * height}px`;
  below.firstChild.style.height = `${(shown.length - last) * height}px`;
}

function fill(element, row, index) {
  set(element, "aria-rowindex", index + 2);  // the header is 1
  const age = ageOf(row);
  if (element.row === row && element.age === age) return;
  const again = element.row?.key !== row.key || element.row.changed !== row.changed;
  [element.row, element.age, element.dataset.key] = [row, age, row.key];
  if (again) {
    element.classList.remove("fresh");
    if (performance.now() - row.changed < FRESH) {
      void element.offsetWidth;  // without which the animation would not begin anew
      element.classList.add("fresh");
    }
  }
  COLUMNS.forEach((column, number) => {
    const cell = element.children[number];
    const text = column === "age" ? age : String(row[column] ?? "");
    if (cell.textContent !== text) cell.textContent = text;
    if (cell.classList.contains("long")) set(cell, "title", text);
    if (column === "status") set(cell, "data-tone", row.tone);
  });
}

function newRow() {
  const row = document.createElement("tr");
  for (const column of COLUMNS) {
    const cell = document.createElement(column === "name" ? "th" : "td");
    if (column === "name") cell.scope = "row";
    cell.classList.toggle("number", column === "restarts" || column === "age");
    cell.classList.toggle("long", ["name", "status", "namespace", "node", "labels"].includes(column));
    cell.classList.toggle("soft", column === "kind" || column === "labels");
    row.append(cell);
  }
  return row;
}

/** A row as high as all those that are not drawn. */
function filler() {
  const row = document.createElement("tr");
  row.className = "filler";
  set(row, "aria-hidden", true);
  row.append(document.createElement("td"));
  row.firstChild.colSpan = COLUMNS.length;
  return row;
}

function ageOf(row) {
  if (!row.created) return "";
  const seconds = Math.max(0, Math.floor(Date.now() / 1000 - row.created));
  if (seconds < 120) return `${Math.floor(seconds / 10) * 10}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

function set(element, attribute, value) {
  if (element.getAttribute(attribute) !== String(value)) element.setAttribute(attribute, value);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** How many rows there are. Not read out, which would be tiresome at every change; `announce` does, when asked. */
function tell() {
  const all = rows.size.toLocaleString("en");
  write(byId("count"), shown.length === rows.size ? `${all} rows` : `${shown.length.toLocaleString("en")} of ${all} rows`);
  set(table, "aria-rowcount", shown.length + 1);
  set(table, "aria-busy", !complete);
  const waiting = !complete || !ready;
  write(byId("empty"), shown.length ? "" : rows.size ? "No row matches." : waiting ? "Nothing is known yet." : "There is nothing here.");
}

// --- The controls ------------------------------------------------------------------------------------------------

let announcing = 0;

/** Say it to screen readers, once the user pauses. */
function announce(say) {
  clearTimeout(announcing);
  announcing = setTimeout(() => write(byId("heard"), say()), 500);
}

function narrow() {
  rearrange = true;
  view.scrollTop = 0;
  announce(() => byId("count").textContent);
  soon();
}

filter.addEventListener("input", narrow);
kind.addEventListener("change", narrow);
byId("filters").addEventListener("submit", (event) => event.preventDefault());

for (const head of table.querySelectorAll("th[data-column]")) {
  head.firstElementChild.addEventListener("click", () => {
    const { column } = head.dataset;
    order = { column, step: order.column === column ? -order.step : 1 };
    showOrder();
    narrow();
    announce(() => `Sorted by ${column}, ${order.step > 0 ? "ascending" : "descending"}`);
  });
}

function showOrder() {
  for (const head of table.querySelectorAll("th[data-column]")) {
    if (head.dataset.column !== order.column) head.removeAttribute("aria-sort");
    else set(head, "aria-sort", order.step > 0 ? "ascending" : "descending");
  }
}

view.addEventListener("scroll", soon, { passive: true });
new ResizeObserver(soon).observe(view);
setInterval(soon, 10_000);  // ages
showOrder();

// --- The connection ----------------------------------------------------------------------------------------------

let source = null;
let heardAt = 0;
let leftovers = null;       // during a snapshot: what was there before it, and has not come again

const listeners = {
  begin() {
    leftovers = new Set([...rows.keys(), ...news.keys()]);
  },
  rows(message) {
    for (const row of JSON.parse(message.data)) {
      leftovers?.delete(row.key);
      news.set(row.key, row);
    }
  },
  gone(message) {
    for (const key of JSON.parse(message.data)) news.set(key, null);
  },
  end() {
    for (const key of leftovers ?? []) news.set(key, null);
    leftovers = null;
    whole = true;
  },
  health(message) {
    const ill = JSON.parse(message.data).checks.filter((check) => !check.ok);
    const loading = ill.filter((check) => check.why.startsWith("not ready"));
    const failing = loading.filter((check) => check.why.includes("failing"));
    const names = (checks) => checks.map((check) => check.name).join(" and ");
    ready = loading.length === 0;
    if (ill.length === 0) say("ok", "Live");
    else if (failing.length > 0) say("bad", `Cannot list ${names(failing)}; trying again, and the log says why`);
    else if (loading.length > 0) say("busy", `Loading ${names(loading)} …`);
    else say("bad", `Out of date: no word from the cluster about ${names(ill)}`);
  },
};

function say(tone, text) {
  const status = byId("status");
  status.dataset.tone = tone;
  write(status, text);  // which is read out
}

function connect() {
  source?.close();
  leftovers = null;
  heardAt = performance.now();
  source = new EventSource(view.dataset.events);
  for (const [name, listener] of Object.entries(listeners)) {
    source.addEventListener(name, (message) => {
      heardAt = performance.now();
      listener(message);
      soon();
    });
  }
  source.addEventListener("error", () => {
    // A browser gives up where it is refused, as it is by a server that is full, or just starting.
    const refused = source.readyState === EventSource.CLOSED;
    if (refused) setTimeout(connect, AGAIN);
    say("bad", `${refused ? "Refused by the server, which may be full" : "Connection lost"}; trying again …`);
  });
}

setInterval(() => {
  if (performance.now() - heardAt > silence && source.readyState !== EventSource.CLOSED) {
    say("bad", "Connection lost; trying again …");
    connect();
  }
}, silence / 6);
connect();
