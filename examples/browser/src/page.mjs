/** The page: opens the tunnel, serves its visitors, and shows the state. @module */
import { fingerprint, password, privateKey, ReverseTunnel, serve, webSocketPipe } from "@postern/web";
import { answerWith } from "./answer.mjs";
import { drawChart } from "./chart.mjs";

const logLines = 12;
const refreshMs = 500;
const chartPoints = 120;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const form = /** @type {HTMLFormElement} */ (element("settings"));
const openButton = /** @type {HTMLButtonElement} */ (element("open"));
const closeButton = /** @type {HTMLButtonElement} */ (element("close"));
const copyButton = /** @type {HTMLButtonElement} */ (element("copy"));
const link = /** @type {HTMLAnchorElement} */ (element("url"));
const words = /** @type {HTMLTextAreaElement} */ (element("words"));
const chart = /** @type {HTMLCanvasElement} */ (element("chart"));

/** @type {import("./answer.mjs").Content} */
const content = { words: words.value, files: new Map(), guests: [] };
const answer = answerWith(content, showGuests);

/** @type {ReverseTunnel | undefined} */
let tunnel;
let requests = 0;
/** @type {{ received: number, sent: number }[]} */
const history = [];
let before = { received: 0, sent: 0 };

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void open();
});
closeButton.addEventListener("click", () => void tunnel?.close());
copyButton.addEventListener("click", () => void navigator.clipboard?.writeText(link.href));
words.addEventListener("input", () => {
  content.words = words.value;
});
element("files").addEventListener("change", (event) => share(/** @type {HTMLInputElement} */ (event.target).files));
element("drop").addEventListener("dragover", (event) => {
  event.preventDefault();
  element("drop").classList.add("over");
});
element("drop").addEventListener("dragleave", () => element("drop").classList.remove("over"));
element("drop").addEventListener("drop", (event) => {
  event.preventDefault();
  element("drop").classList.remove("over");
  share(event.dataTransfer?.files);
});
// Closes the tunnel with the page. Otherwise the server would hold the port until a timeout.
addEventListener("pagehide", () => void tunnel?.close());
setInterval(refresh, refreshMs);
refresh();

async function open() {
  // The form has no file field.
  const fields = /** @type {Iterable<[string, string]>} */ (new FormData(form));
  const settings = Object.fromEntries([...fields].map(([name, value]) => [name, value.trim()]));
  problem(undefined);
  try {
    const auth = settings.key === "" ? password(settings.password) : privateKey(`${settings.key}\n`);
    tunnel = new ReverseTunnel({
      dial: (_host, { signal }) => webSocketPipe(settings.bridge, { signal }),
      host: settings.host,
      user: settings.user,
      auth: [auth],
      hostKey: fingerprint(settings.fingerprint),
    });
    tunnel.addEventListener("state", ({ state, reason }) => show(state, reason));
    tunnel.addEventListener("forwarding", ({ forwarding, state, reason }) =>
      showAddress(settings.host, forwarding, state, reason),
    );
    openButton.disabled = true;
    closeButton.disabled = false;
    await tunnel.connect();
    const forwarding = await tunnel.listen({ address: settings.address, port: Number(settings.port) });
    showAddress(settings.host, forwarding, forwarding.state, undefined);
    serve(forwarding, logged);
  } catch (error) {
    await tunnel?.close();
    show("failed", error);
  }
}

/** Calls the handler, and logs each request. */
async function logged(request, info) {
  const response = await answer(request, info);
  requests++;
  const line = element("log").insertRow(0);
  const { pathname } = new URL(request.url);
  for (const text of [
    new Date().toLocaleTimeString([], { hour12: false }),
    info.origin.host,
    `${request.method} ${pathname}`,
    String(response.status),
  ]) {
    // As text, because it comes from the network.
    line.insertCell().textContent = text;
  }
  element("log").querySelector(".empty")?.remove();
  while (element("log").rows.length > logLines) element("log").deleteRow(-1);
  return response;
}

function show(state, reason) {
  element("state").textContent = state;
  element("state").dataset.state = state;
  const over = state === "closed" || state === "failed";
  if (reason !== undefined) problem(reason);
  else if (state === "open") problem(undefined);
  if (!over) return;
  openButton.disabled = false;
  closeButton.disabled = true;
  showAddress("", undefined, "closed", undefined);
}

function showAddress(host, forwarding, state, reason) {
  const open = state === "open";
  copyButton.disabled = !open;
  link.ariaDisabled = String(!open);
  if (open) {
    link.target = "_blank";
    link.href = `http://${host.includes(":") ? `[${host}]` : host}:${forwarding.port}/`;
    link.textContent = link.href;
  } else {
    link.target = "";
    link.href = "#settings";
    link.textContent = state === "pending" ? "the port is still held; asking again" : "not open";
  }
  if (reason !== undefined && state === "closed") problem(reason);
}

function problem(reason) {
  element("problem").hidden = reason === undefined;
  element("problem").textContent =
    reason === undefined ? "" : reason instanceof Error ? reason.message : String(reason);
}

function refresh() {
  const stats = tunnel?.stats();
  const now = { received: stats?.bytesIn ?? 0, sent: stats?.bytesOut ?? 0 };
  element("visitors").textContent = String(stats?.accepted ?? 0);
  element("connected").textContent = String(stats?.open ?? 0);
  element("requests").textContent = String(requests);
  element("received").textContent = bytes(now.received);
  element("sent").textContent = bytes(now.sent);
  element("trip").textContent = stats?.roundTripMs === undefined ? "–" : `${Math.round(stats.roundTripMs)} ms`;
  history.push({ received: Math.max(0, now.received - before.received), sent: Math.max(0, now.sent - before.sent) });
  before = now;
  if (history.length > chartPoints) history.shift();
  drawChart(chart, history, chartPoints, (most) => `${bytes((most * 1000) / refreshMs)}/s`);
}

function share(files) {
  for (const file of files ?? []) content.files.set(file.name, file);
  element("shared").replaceChildren(
    ...[...content.files].map(([name, { size }]) => {
      const item = document.createElement("li");
      item.textContent = `${name}, ${bytes(size)}`;
      return item;
    }),
  );
}

function showGuests() {
  element("guests").replaceChildren(
    ...content.guests.slice(-5).map(({ from, text }) => {
      const item = document.createElement("li");
      item.textContent = `${from}: ${text}`;
      return item;
    }),
  );
}

/** @param {number} count */
function bytes(count) {
  if (count < 1000) return `${Math.round(count)} B`;
  const steps = Math.min(3, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** steps).toPrecision(3)} ${["B", "kB", "MB", "GB"][steps]}`;
}
