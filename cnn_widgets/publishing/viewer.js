// Shows what was computed beforehand: the photograph, the evidence, the answers, the filters.
// Nothing is fetched. Grey pictures hold values as bytes; they are coloured here.
"use strict";
const content = JSON.parse(document.getElementById("content").textContent);
const $ = (id) => document.getElementById(id);
const state = { photo: 0, answer: 0, layer: Math.min(1, content.layers.length - 1), filter: 0 };
const tables = { heat: bytes(content.heat), filter: bytes(content.filter) };
const kept = new Map(); // the bytes of grey pictures that were seen, by their address
const LONGER = 560; // side of a photograph as it is shown, in pixels
let serial = 0; // of the newest drawing: an older one that is late is dropped

function bytes(text) {
  return Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
}
async function gray(address) {
  if (!kept.has(address)) {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const values = new Uint8Array(canvas.width * canvas.height);
    for (let at = 0; at < values.length; at++) values[at] = data[4 * at];
    kept.set(address, values);
    if (kept.size > 60) kept.delete(kept.keys().next().value);
  }
  return kept.get(address);
}
function paint(canvas, values, [width, height], table) {
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    for (let c = 0; c < 3; c++) image.data[4 * at + c] = table[3 * values[at] + c];
    image.data[4 * at + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
function made(tag, words, attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = words;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
const photo = () => content.photographs[state.photo];
const layer = () => photo().layers[state.layer];
const explained = () => Math.max(0, photo().answers.findIndex((each) => each.map));
const shown = (value) => Number(value).toPrecision(3).replace("-", "−");

async function drawPhoto() {
  const mine = serial, here = photo(), answer = here.answers[state.answer];
  const image = $("photo").querySelector("img"), canvas = $("photo").querySelector("canvas");
  image.src = here.photo;
  const scale = LONGER / Math.max(...here.size); // a small one is shown large, to be pointed at
  [image.width, image.height] = here.size.map((each) => Math.max(1, Math.round(each * scale)));
  image.style.imageRendering = scale > 4 ? "pixelated" : "";
  image.alt = `Photograph ${here.name}. ${answer.map ? answer.map.words : ""}`;
  $("asked").textContent = `Evidence for ${answer.name}`;
  $("words").textContent = answer.map ? answer.map.words : "No evidence was computed for this class.";
  canvas.style.opacity = $("alpha").value / 100;
  if (!answer.map) return canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  const values = await gray(answer.map.gray);
  if (mine === serial) paint(canvas, values, answer.map.size, tables.heat);
}
async function drawFilters() {
  const mine = serial, here = layer(), [width, height] = here.size;
  const values = await gray(here.gray);
  if (mine !== serial) return;
  const part = (k) => values.subarray(k * width * height, (k + 1) * width * height);
  const buttons = here.low.map((low, k) => {
    const flat = low === here.high[k];
    const words = flat ? `one value everywhere: ${shown(low)}` : `${shown(low)} to ${shown(here.high[k])}`;
    const button = made("button", "", { type: "button", "aria-label": `filter ${k}, ${words}`,
      title: `filter ${k}: ${words}`, "aria-pressed": k === state.filter });
    const canvas = document.createElement("canvas");
    paint(canvas, part(k), here.size, tables.filter);
    button.append(canvas);
    button.addEventListener("click", () => { state.filter = k; draw(); });
    return button;
  });
  const focused = [...$("mosaic").children].indexOf(document.activeElement);
  $("mosaic").replaceChildren(...buttons);
  if (focused >= 0) buttons[Math.min(focused, buttons.length - 1)].focus();
  paint($("filter"), part(state.filter), here.size, tables.filter);
  $("one").textContent = `Filter ${state.filter}`;
  const [rows, columns] = here.shape;
  const less = rows !== height ? `, shown in ${height}×${width}` : "";
  $("range").textContent =
    `${shown(here.low[state.filter])} to ${shown(here.high[state.filter])} · ${rows}×${columns}${less}`;
}
function drawChoices() {
  $("photographs").replaceChildren(...content.photographs.map((each, at) => {
    const button = made("button", each.name, { type: "button", "aria-pressed": at === state.photo,
      style: `background-image: url(${each.photo})` });
    button.addEventListener("click", () => { state.photo = at; state.answer = explained(); draw(); });
    return button;
  }));
  $("answers").replaceChildren(...photo().answers.map((each, at) => {
    const button = made("button", "", { type: "button", "aria-pressed": at === state.answer });
    button.append(made("span", `${each.map ? "▸ " : ""}${each.name}`),
      made("span", each.probability), made("span", each.score),
      made("i", "", { style: `width: ${100 * each.share}%` }));
    button.disabled = !each.map;
    button.addEventListener("click", () => { state.answer = at; draw(); });
    return button;
  }));
}
function draw() {
  serial += 1;
  state.filter = Math.min(state.filter, layer() ? layer().low.length - 1 : 0);
  const active = document.activeElement?.parentElement?.id;
  const at = active ? [...$(active).children].indexOf(document.activeElement) : -1;
  drawChoices();
  if (at >= 0 && ["photographs", "answers"].includes(active)) $(active).children[at]?.focus();
  drawPhoto();
  if (layer()) drawFilters();
}
async function tell(event) {
  const area = event.target.closest("#photo, #filter");
  if (!area) return void ($("readout").textContent = "");
  const rect = area.getBoundingClientRect();
  const x = (event.clientX - rect.left) / rect.width, y = (event.clientY - rect.top) / rect.height;
  if (x < 0 || y < 0 || x >= 1 || y >= 1) return;
  if (area.id === "filter") {
    const [width, height] = layer().size, k = state.filter;
    const column = Math.floor(x * width), row = Math.floor(y * height);
    const byte = (await gray(layer().gray))[(k * height + row) * width + column];
    const value = layer().low[k] + byte / 255 * (layer().high[k] - layer().low[k]);
    const [rows, columns] = layer().shape;
    $("readout").textContent = `filter ${k}, row ${Math.floor(row * rows / height)}, ` +
      `column ${Math.floor(column * columns / width)}: about ${shown(value)}`;
    return;
  }
  const map = photo().answers[state.answer].map, [wide, tall] = photo().pixels;
  let words = `pixel ${Math.floor(x * wide)}, ${Math.floor(y * tall)}`;
  if (map) {
    const byte = (await gray(map.gray))[Math.floor(y * map.size[1]) * map.size[0] + Math.floor(x * map.size[0])];
    const share = content.signed ? 2 * byte / 255 - 1 : byte / 255;
    words += `: ${Math.round(100 * share)} % of the largest evidence`;
  }
  $("readout").textContent = words;
}

$("about").textContent = content.network;
$("method").textContent = content.method;
content.layers.forEach((name, at) => $("layer").append(made("option", name, { value: at })));
$("layer").value = state.layer;
$("layer").addEventListener("change", () => { state.layer = Number($("layer").value); draw(); });
$("alpha").addEventListener("input", () => {
  $("photo").querySelector("canvas").style.opacity = $("alpha").value / 100;
});
document.addEventListener("pointermove", tell);
state.answer = explained();
if (!content.layers.length) $("inside").hidden = true;
draw();
