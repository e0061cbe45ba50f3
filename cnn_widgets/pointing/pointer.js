// Sends what the pointer and the keys do over an explorer's pictures to the kernel, and shows the
// kernel's words beside the pointer. The pictures are other widgets' and do without this module.

const EVERY = 30; // milliseconds between two messages of one gesture
const DRAGGED = 5; // pixels from which a press is a drag
const BRUSH = 14; // radius of the brush on the screen, in pixels
const KEYS = new Set([
  "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", "Enter",
  " ", "Escape", "+", "=", "-", "0", "r", "R", "f", "F", "x",
  "X",
]);
const GUESS = ".cnnw-control-guess";
const FOLD = ".jupyter-widget-Collapse-header";
const FACES = ["photograph", "evidence", "input"];

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

  // --- one message at most every EVERY milliseconds ------------------------------------------

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
    model.set("hover", place ? { ...place, serial: ++serial } : {});
    model.save_changes();
  });
  let keys = []; // every press counts, so they are collected
  const sendKeys = throttled((picture) => {
    model.send({ kind: "keys", picture, keys });
    keys = [];
  });

  // --- the words beside the pointer ----------------------------------------------------------

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

  // --- hovering, clicking, dragging ----------------------------------------------------------

  let press = null; // {box, picture, place, clientX, clientY, band, stroke}

  function moved(event) {
    if (pinching()) return cancelled(); // the second finger has come
    if (press) return dragged(event);
    const box = boxOf(event);
    if (!box) return left();
    over = { picture: nameOf(box), clientX: event.clientX, clientY: event.clientY };
    showTip();
    sendHover({ picture: over.picture, ...placeIn(box, event) });
  }
  function left() {
    if (over) sendHover(null);
    over = null;
    tip.hidden = true;
  }
  function scrolled() { // what is under the pointer is another place, or no picture any more
    if (!over || press) return;
    const { clientX, clientY } = over;
    const target = document.elementFromPoint(clientX, clientY);
    if (root.contains(target)) moved({ target, clientX, clientY });
    else left();
  }
  function pressed(event) {
    const box = boxOf(event);
    if (!box || event.button !== 0) return;
    press = { box, picture: nameOf(box), place: placeIn(box, event), clientX: event.clientX,
              clientY: event.clientY, band: null, stroke: event.shiftKey ? [] : null };
  }
  function dragged(event) {
    const far = Math.hypot(event.clientX - press.clientX, event.clientY - press.clientY);
    if (press.picture !== "photo" || (far < DRAGGED && !press.band)) return;
    left();
    if (press.stroke) return painted(event);
    if (!press.band) bandMade("div");
    const rect = press.box.getBoundingClientRect();
    const sides = [press.clientX, event.clientX].sort((a, b) => a - b);
    const ends = [press.clientY, event.clientY].sort((a, b) => a - b);
    press.band.style.cssText = `left:${sides[0] - rect.left}px !important;` +
      `top:${ends[0] - rect.top}px !important;width:${sides[1] - sides[0]}px !important;` +
      `height:${ends[1] - ends[0]}px !important`;
  }
  function bandMade(kind) { // what is dragged or painted, until the kernel's own mark is there
    const svg = kind === "div" ? undefined : "http://www.w3.org/2000/svg";
    press.band = svg ? document.createElementNS(svg, kind) : document.createElement(kind);
    press.band.classList.add("cnnw-band");
    press.box.append(press.band);
  }
  function painted(event) {
    if (!press.band) {
      bandMade("svg");
      press.band.innerHTML = `<polyline stroke-width="${2 * BRUSH}"/>`;
      press.stroke.push(press.place);
      press.line = [[press.clientX, press.clientY]];
    }
    const [x, y] = press.line.at(-1);
    if (Math.hypot(event.clientX - x, event.clientY - y) < BRUSH / 4) return;
    press.stroke.push(placeIn(press.box, event));
    press.line.push([event.clientX, event.clientY]);
    const rect = press.box.getBoundingClientRect();
    press.band.firstChild.setAttribute("points", press.line.map(
      ([across, down]) => `${across - rect.left},${down - rect.top}`).join(" "));
  }
  function released(event) {
    if (!press) return;
    const { box, picture, place, band, stroke } = press;
    press = null;
    if (band) {
      band.remove();
      if (stroke) {
        const points = stroke.map(clipped).map(({ x, y }) => [x, y]);
        const { x } = placeIn(box, { clientX: event.clientX + BRUSH, clientY: event.clientY });
        model.send({ kind: "paint", points, radius: x - placeIn(box, event).x });
        return;
      }
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

  // --- keys ----------------------------------------------------------------------------------

  let blinking = null;
  let guessed = null; // the field of the guess, from Enter's going down to its coming up

  // In here plain keys are the explorer's and its controls', and pasting too, but Control+S and
  // Shift+Enter the notebook's. Notebook 7 takes its keys before any element has seen them.
  function keyComes(event) {
    guessed = null;
    if (!root.contains(event.target)) return;
    if (event.key === "Enter" && !event.isComposing) guessed = event.target.closest(GUESS);
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
    if (event.key === "Enter" && guessed?.contains(event.target)) {
      model.send({ kind: "guess", text: event.target.value }); // a click could overtake the text
    }
  }
  function blinkEnd() {
    clearInterval(blinking);
    blinking = null;
    delete root.dataset.blink;
  }

  // --- from the first to the last -----------------------------------------------------------------

  let pinching = () => false;

  function start() {
    const page = { root, model, on, undo, nameOf, placeIn };
    document.body.append(tip); // not into the explorer, whose edges would cut it off
    root.append(said);
    pinching = magnifier(page);
    on(root, "pointermove", moved);
    on(root, "pointerleave", left);
    on(window, "scroll", scrolled, true);
    on(root, "pointerdown", pressed);
    on(window, "pointerup", released);
    on(window, "pointercancel", cancelled);
    on(root, "click", rowClicked, true);
    on(window, "keydown", keyComes, true);
    on(root, "keydown", keyDown);
    on(root, "keyup", keyUp);
    on(window, "blur", blinkEnd);
    on(root, "dragstart", (event) => boxOf(event) && event.preventDefault());
    model.on("change:readout", readoutChanged);
    undo.push(() => model.off("change:readout", readoutChanged), () => tip.remove(),
              () => said.remove(), blinkEnd);
    camera(page, picturesIn(page));
    presence(page);
    nameAll(page);
    model.send({ kind: "shown" });
  }

  return () => {
    cancelAnimationFrame(frame);
    for (const each of undo) each();
  };
}

export default { render };
