// Sends what the pointer and the keys do over an explorer's pictures to the kernel, and shows the
// kernel's words beside the pointer. The pictures are other widgets' and do without this module.

const EVERY = 30; // milliseconds between two messages of one gesture
const ZOOM_STEP = 0.05; // of the slider "magnified"
const MOST_FILES = 200; // pictures taken at once
const DRAGGED = 5; // pixels from which a press is a drag
const KEYS = new Set([
  "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", "Enter",
  " ", "Escape", "+", "=", "-", "0", "r", "R", "f", "F",
]);
const FOLD = ".jupyter-widget-Collapse-header";
const FACES = ["photograph", "evidence", "input"];
const ABOUT = {
  photo: "The photograph. Arrow keys move a pinned cell, Enter pins another, R takes the hottest " +
    "region, F changes what is shown, plus and minus magnify, B blinks, Escape clears.",
  filter: "The map of one filter. Arrow keys move a pinned cell, Enter pins another.",
  mosaic: "Filters of the layer. Arrow keys choose a filter.",
  depth: "Silent filters by depth. Left and right choose a layer.",
  strip: "Layer by layer. Left and right choose a layer.",
};

function render({ model, el }) {
  let root = null;
  let frame = requestAnimationFrame(attach);
  const undo = [];

  function attach() {
    root = el.closest(".cnnw-explorer");
    if (root) start();
    else frame = requestAnimationFrame(attach);
  }

  function on(target, name, action, options) {
    target.addEventListener(name, action, options);
    undo.push(() => target.removeEventListener(name, action, options));
  }

  // --- where ---------------------------------------------------------------------------------

  const boxOf = (event) => event.target.closest?.(".cnnw-touch");
  const nameOf = (box) =>
    [...box.classList].find((each) => each.startsWith("cnnw-touch-"))?.slice("cnnw-touch-".length);

  function placeIn(box, event) {
    const shown = [...box.querySelectorAll("img")]
      .find((each) => getComputedStyle(each).visibility === "visible") || box;
    const rect = shown.getBoundingClientRect();
    return {
      x: (event.clientX - rect.left) / Math.max(rect.width, 1),
      y: (event.clientY - rect.top) / Math.max(rect.height, 1),
    };
  }
  const clipped = ({ x, y }) => ({ x: Math.min(Math.max(x, 0), 1), y: Math.min(Math.max(y, 0), 1) });

  // --- one message at most every EVERY milliseconds --------------------------------------------

  function throttled(send) {
    let timer = null, last = 0, waiting = null;
    return (value) => {
      waiting = value;
      if (timer) return;
      timer = setTimeout(() => {
        timer = null;
        last = performance.now();
        send(waiting);
      }, Math.max(0, last + EVERY - performance.now()));
    };
  }
  let serial = 0;
  const sendHover = throttled((place) => {
    model.set("hover", { ...place, serial: ++serial });
    model.save_changes();
  });
  let keys = []; // every press counts, so they are collected
  const sendKeys = throttled((picture) => {
    model.send({ kind: "keys", picture, keys });
    keys = [];
  });

  // --- the words beside the pointer ------------------------------------------------------------

  const tip = document.createElement("div");
  tip.className = "cnnw-tip";
  tip.hidden = true;
  const said = document.createElement("div");
  said.className = "cnnw-said";
  said.setAttribute("role", "status");
  let over = null; // {picture, clientX, clientY}

  function showTip() {
    const words = model.get("readout");
    const fits = over && words.picture === over.picture && words.text;
    tip.hidden = !fits;
    if (!fits) return;
    tip.textContent = words.text;
    const right = over.clientX + 16 + tip.offsetWidth > window.innerWidth;
    tip.style.left = `${over.clientX + (right ? -12 - tip.offsetWidth : 16)}px`;
    const low = over.clientY + 18 + tip.offsetHeight > window.innerHeight;
    tip.style.top = `${over.clientY + (low ? -10 - tip.offsetHeight : 18)}px`;
  }
  function readoutChanged() {
    showTip();
    if (model.get("readout").say) said.textContent = model.get("readout").text;
  }

  // --- hovering, clicking, dragging --------------------------------------------------------------

  let press = null; // {box, picture, place, clientX, clientY, band}

  function moved(event) {
    if (press) return dragged(event);
    const box = boxOf(event);
    if (!box) return left();
    over = { picture: nameOf(box), clientX: event.clientX, clientY: event.clientY };
    showTip();
    sendHover({ picture: over.picture, ...placeIn(box, event) });
  }
  function left() {
    over = null;
    tip.hidden = true;
  }
  function pressed(event) {
    const box = boxOf(event);
    if (!box || event.button !== 0) return;
    press = { box, picture: nameOf(box), place: placeIn(box, event), clientX: event.clientX,
              clientY: event.clientY, band: null };
  }
  function dragged(event) {
    const far = Math.hypot(event.clientX - press.clientX, event.clientY - press.clientY);
    if (press.picture !== "photo" || (far < DRAGGED && !press.band)) return;
    left();
    if (!press.band) {
      press.band = document.createElement("div");
      press.band.className = "cnnw-band";
      press.box.append(press.band);
    }
    const rect = press.box.getBoundingClientRect();
    const sides = [press.clientX, event.clientX].sort((a, b) => a - b);
    const ends = [press.clientY, event.clientY].sort((a, b) => a - b);
    press.band.style.cssText = `left:${sides[0] - rect.left}px !important;` +
      `top:${ends[0] - rect.top}px !important;width:${sides[1] - sides[0]}px !important;` +
      `height:${ends[1] - ends[0]}px !important`;
  }
  function released(event) {
    if (!press) return;
    const { box, picture, place, band } = press;
    press = null;
    if (band) {
      band.remove();
      const [a, b] = [clipped(place), clipped(placeIn(box, event))];
      model.send({ kind: "drag", picture, x: a.x, y: a.y, x2: b.x, y2: b.y });
    } else if (boxOf(event) === box) {
      box.focus({ preventScroll: true });
      model.send({ kind: "click", picture, ...clipped(place), shift: event.shiftKey });
    }
  }
  function cancelled() { // a finger scrolls the page instead
    press?.band?.remove();
    press = null;
  }
  function rowClicked(event) {
    const button = event.target.closest?.(".cnnw-choosers button");
    if (!button || !event.shiftKey) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    const rank = [...button.parentElement.children].indexOf(button);
    model.send({ kind: "versus", rank });
  }

  // --- magnifying, all pictures of the photograph together ---------------------------------------

  const view = () => {
    const style = getComputedStyle(root.querySelector(".cnnw-touch-photo"));
    const read = (name, otherwise) => Number(style.getPropertyValue(name)) || otherwise;
    const zoom = read("--zoom", 1);
    return { zoom, x: read("--zx", 0) + 0.5 / zoom, y: read("--zy", 0) + 0.5 / zoom };
  };
  function zoomed(event) {
    const box = event.target.closest?.(".cnnw-touch-photo");
    if (!box) return;
    const before = view();
    const step = Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) * 0.006);
    const zoom = Math.min(8, Math.max(1, before.zoom * step));
    if (zoom === before.zoom) return; // the page scrolls on
    event.preventDefault();
    const at = placeIn(box, event);
    show(around(at, before, zoom));
    ending = setTimeout(() => {
      const now = view(); // the slider has steps, and would move the picture to one of them
      show(around(at, now, Math.round(now.zoom / ZOOM_STEP) * ZOOM_STEP));
      sendZoom();
    }, 150);
  }
  function around(at, before, zoom) { // the place `at` stays under the pointer
    const share = before.zoom / zoom;
    return { zoom, x: at.x + (before.x - at.x) * share, y: at.y + (before.y - at.y) * share };
  }
  function show({ zoom, x, y }) {
    const half = 0.5 / zoom;
    const middle = (each) => Math.min(Math.max(each, half), 1 - half);
    const now = { zoom, x: middle(x), y: middle(y) };
    for (const box of root.querySelectorAll(".cnnw-touch-photo")) {
      box.style.setProperty("--zoom", now.zoom);
      box.style.setProperty("--zx", now.x - half);
      box.style.setProperty("--zy", now.y - half);
    }
    clearTimeout(settling);
    clearTimeout(ending);
  }
  function zoomReset(event) {
    if (!event.target.closest?.(".cnnw-touch-photo")) return;
    show({ zoom: 1, x: 0.5, y: 0.5 });
    sendZoom();
  }
  const sendZoom = () => model.send({ kind: "zoom", ...view() });
  let settling = null, ending = null;
  function zoomKnown() { // the kernel's own sheet says it now
    clearTimeout(settling);
    settling = setTimeout(zoomSettled, 300);
  }
  function zoomSettled() {
    for (const box of root.querySelectorAll(".cnnw-touch-photo")) {
      for (const name of ["--zoom", "--zx", "--zy"]) box.style.removeProperty(name);
    }
  }

  // --- keys --------------------------------------------------------------------------------------

  let blinking = null;

  // In here plain keys are the explorer's and its controls', and pasting too, but Control+S and
  // Shift+Enter the notebook's. Notebook 7 takes its keys before any element has seen them.
  function keyComes(event) {
    if (!root.contains(event.target)) return;
    const chord = event.ctrlKey || event.metaKey || event.altKey;
    const mine = chord ? event.key === "v" : !(event.shiftKey && event.key === "Enter");
    event.target.toggleAttribute("data-lm-suppress-shortcuts", mine);
  }
  function keyDown(event) {
    if (event.target.matches?.("input, textarea, select, [contenteditable=true]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "b" || event.key === "B") {
      event.preventDefault();
      if (!blinking) blink();
      return;
    }
    if (event.target.matches?.(FOLD) && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      event.target.click();
      return;
    }
    const box = boxOf(event);
    if (!box || !KEYS.has(event.key) || (event.shiftKey && event.key === "Enter")) return;
    event.preventDefault();
    left();
    keys.push(event.key);
    sendKeys(nameOf(box));
  }
  function blink() {
    let turn = 0;
    const next = () => { root.dataset.blink = FACES[turn++ % FACES.length]; };
    next();
    blinking = setInterval(next, 450);
  }
  function keyUp(event) {
    if (event.key === "b" || event.key === "B") blinkEnd();
  }
  function blinkEnd() {
    clearInterval(blinking);
    blinking = null;
    delete root.dataset.blink;
  }

  // --- pictures in: dropped, pasted, chosen --------------------------------------------------------

  async function sendFile(file) {
    const longest = model.get("sent_pixels");
    let data = file, name = file.name || "pasted", width = 0, height = 0;
    try {
      const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
      ({ width, height } = bitmap);
      const side = Math.max(bitmap.width, bitmap.height);
      if (side > longest || file.size > 4 * 2 ** 20) {
        const scale = Math.min(1, longest / side);
        const canvas = document.createElement("canvas");
        canvas.width = Math.max(1, Math.round(bitmap.width * scale));
        canvas.height = Math.max(1, Math.round(bitmap.height * scale));
        const context = canvas.getContext("2d");
        context.imageSmoothingQuality = "high";
        context.fillStyle = "#fff"; // as the kernel does with what is transparent: JPEG has no alpha
        context.fillRect(0, 0, canvas.width, canvas.height);
        context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
        data = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95)) || file;
      }
      bitmap.close();
    } catch (error) { // what the browser cannot read is sent as it is: the kernel may read it
      data = file;
    }
    const told = { kind: "file", name, width, height, bytes: data.size };
    // A message too large would cut the connection: the kernel says what to do about it
    const fits = data.size <= model.get("sent_bytes");
    model.send(told, undefined, fits ? [await data.arrayBuffer()] : []);
  }
  async function sendFiles(files) {
    const taken = [...files].slice(0, MOST_FILES);
    for (const file of taken) await sendFile(file);
    if (files.length > taken.length) {
      model.send({ kind: "left out", taken: taken.length, count: files.length });
    }
  }
  async function filesOf(transfer) { // of dropped folders, the pictures in them
    const entries = [...transfer.items].map((each) => each.webkitGetAsEntry?.()).filter(Boolean);
    const found = [];
    async function walk(entry) {
      if (entry.isFile) {
        const file = await new Promise((done, fail) => entry.file(done, fail));
        if (entries.includes(entry) || file.type.startsWith("image/")) found.push(file);
      } else {
        const reader = entry.createReader();
        for (;;) {
          const some = await new Promise((done, fail) => reader.readEntries(done, fail));
          if (!some.length) break;
          for (const each of some) if (!each.name.startsWith(".")) await walk(each);
        }
      }
    }
    if (!entries.length) return [...transfer.files];
    for (const entry of entries) await walk(entry);
    return found;
  }
  const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  function draggedOver(event) {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    root.classList.add("cnnw-dropping");
  }
  function dropped(event) {
    root.classList.remove("cnnw-dropping");
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    filesOf(event.dataTransfer).then(sendFiles);
  }
  function pasted(event) {
    const files = [...(event.clipboardData?.files || [])];
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    sendFiles(files);
  }
  function uploadClicked(event) { // larger pictures than one message holds are scaled here first
    if (!event.target.closest?.(".cnnw-control-upload")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const chooser = document.createElement("input");
    chooser.type = "file";
    chooser.accept = "image/*";
    chooser.multiple = true;
    chooser.addEventListener("change", () => sendFiles(chooser.files));
    chooser.click();
  }

  // --- the camera, where the browser has one and the page may use it -----------------------------

  let stream = null;

  async function cameraClicked(event) {
    if (!event.target.closest?.(".cnnw-control-camera")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (root.querySelector(".cnnw-viewfinder")) return cameraEnd();
    const view = document.createElement("div");
    view.className = "cnnw-viewfinder";
    const film = document.createElement("video");
    const take = button("Take the picture", () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [film.videoWidth, film.videoHeight];
      canvas.getContext("2d").drawImage(film, 0, 0);
      canvas.toBlob((data) => sendFile(new File([data], "camera.png")), "image/png");
      cameraEnd();
    });
    const line = document.createElement("span");
    view.append(film, take, button("Close", cameraEnd), line);
    root.querySelector(".cnnw-top").after(view);
    film.muted = film.playsInline = true;
    take.disabled = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280 }, audio: false });
      if (!view.isConnected) return cameraEnd(); // closed while the browser was asking
      film.srcObject = stream;
      await film.play();
      take.disabled = false;
      take.focus();
    } catch (error) { // refused by the person, or no camera is connected
      line.textContent = `The camera cannot be used: ${error.message}`;
    }
  }
  function button(words, action) {
    const made = document.createElement("button");
    made.className = "jupyter-button";
    made.textContent = words;
    made.addEventListener("click", action);
    return made;
  }
  function cameraEnd() {
    for (const track of stream?.getTracks() || []) track.stop();
    stream = null;
    root?.querySelector(".cnnw-viewfinder")?.remove();
  }

  // --- names and roles -----------------------------------------------------------------------------

  const watch = new MutationObserver(nameEverything);

  function tellState(element, attribute, shown, style) { // what a CSS class says to the eye
    if (!element.hasAttribute(attribute)) watch.observe(shown, { attributeFilter: ["class"] });
    element.setAttribute(attribute, shown.classList.contains(style));
  }
  function nameFields() {
    for (const icon of root.querySelectorAll("i.fa:not([aria-hidden])")) {
      icon.setAttribute("aria-hidden", "true"); // a glyph of a font is no word
    }
    for (const arrow of root.querySelectorAll(".cnnw-arrow:not([aria-label])")) {
      arrow.setAttribute("aria-label", `${arrow.title} ${arrow.textContent}`);
    }
    const unnamed = ".noUi-handle:not([aria-label]), .widget-readout:not([aria-label])";
    for (const part of root.querySelectorAll(unnamed)) {
      const label = part.closest(".jupyter-widgets")?.querySelector(".widget-label");
      if (label) part.setAttribute("aria-label", label.textContent);
      if (part.matches(".widget-readout")) part.setAttribute("role", "textbox");
    }
    for (const group of root.querySelectorAll(".widget-toggle-buttons")) {
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", group.querySelector(".widget-label").textContent);
    }
    for (const each of root.querySelectorAll(".widget-toggle-button")) {
      tellState(each, "aria-pressed", each, "mod-active");
    }
    for (const each of root.querySelectorAll(".cnnw-thumbs .jupyter-button")) {
      tellState(each, "aria-pressed", each, "cnnw-chosen");
    }
    for (const head of root.querySelectorAll(FOLD)) {
      head.tabIndex = 0;
      head.setAttribute("role", "button");
      tellState(head, "aria-expanded", head.parentElement, "jupyter-widget-Collapse-open");
    }
  }
  function nameEverything() {
    nameFields();
    for (const image of root.querySelectorAll("img.widget-image[title]")) {
      image.alt = image.title; // a title would cover the words beside the pointer
      image.removeAttribute("title");
      image.draggable = false;
    }
    for (const box of root.querySelectorAll(".cnnw-touch")) {
      const name = nameOf(box);
      if (!box.hasAttribute("tabindex")) {
        box.tabIndex = 0;
        box.setAttribute("role", name === "mosaic" || name === "strip" ? "grid" : "application");
        box.setAttribute("aria-label", ABOUT[name] || name);
      }
      placeActive(box, model.get("places")[name]);
    }
  }
  function placeActive(box, place) {
    if (box.getAttribute("role") !== "grid" || !place) return;
    let row = box.querySelector(":scope > [role=row]");
    if (!row) {
      row = document.createElement("div");
      row.setAttribute("role", "row");
      row.className = "cnnw-said";
      const cell = document.createElement("div");
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-selected", "true");
      cell.id = `cnnw-cell-${Math.random().toString(36).slice(2)}`;
      row.append(cell);
      box.append(row);
      box.setAttribute("aria-activedescendant", cell.id);
    }
    const text = [place.rows, place.columns, place.row, place.column, place.text].join("|");
    if (row.dataset.text === text) return;
    row.dataset.text = text;
    box.setAttribute("aria-rowcount", place.rows);
    box.setAttribute("aria-colcount", place.columns);
    row.setAttribute("aria-rowindex", place.row + 1);
    row.firstChild.setAttribute("aria-colindex", place.column + 1);
    row.firstChild.textContent = place.text;
    scrollTo(box, place);
  }
  function scrollTo(box, place) { // keeps the selected tile in sight of a long mosaic
    const pane = box.closest(".cnnw-scroll");
    if (!pane || pane.scrollHeight <= pane.clientHeight + 1) return;
    const tall = box.offsetHeight / place.rows, top = place.row * tall;
    if (top < pane.scrollTop) pane.scrollTop = top;
    else if (top + tall > pane.scrollTop + pane.clientHeight) {
      pane.scrollTop = top + tall - pane.clientHeight;
    }
  }

  function start() {
    document.body.append(tip); // not into the explorer, whose edges would cut it off
    root.append(said);
    on(root, "pointermove", moved);
    on(root, "pointerleave", left);
    on(root, "pointerdown", pressed);
    on(window, "pointerup", released);
    on(window, "pointercancel", cancelled);
    on(root, "click", rowClicked, true);
    on(root, "click", uploadClicked, true);
    on(root, "click", cameraClicked, true);
    root.classList.toggle("cnnw-has-camera", Boolean(navigator.mediaDevices?.getUserMedia));
    undo.push(cameraEnd);
    on(root, "wheel", zoomed, { passive: false });
    on(root, "dblclick", zoomReset);
    on(window, "keydown", keyComes, true);
    on(root, "keydown", keyDown);
    on(root, "keyup", keyUp);
    on(window, "blur", blinkEnd);
    on(root, "dragstart", (event) => boxOf(event) && event.preventDefault());
    on(root, "dragover", draggedOver);
    on(root, "dragleave", () => root.classList.remove("cnnw-dropping"));
    on(root, "drop", dropped);
    on(root, "paste", pasted);
    model.on("change:readout", readoutChanged);
    model.on("change:places", nameEverything);
    model.on("msg:custom", zoomKnown);
    undo.push(() => model.off("change:readout", readoutChanged),
              () => model.off("change:places", nameEverything),
              () => model.off("msg:custom", zoomKnown));
    watch.observe(root, { subtree: true, childList: true, attributeFilter: ["title"] });
    undo.push(() => watch.disconnect(), () => tip.remove(), () => said.remove(), blinkEnd,
              () => clearTimeout(settling), () => clearTimeout(ending));
    nameEverything();
  }

  return () => {
    cancelAnimationFrame(frame);
    for (const each of undo) each();
  };
}

export default { render };
