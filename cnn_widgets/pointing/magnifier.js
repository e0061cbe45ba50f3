// Magnifies all faces of the photograph together: wheel, two fingers, double click.

const ZOOM_STEP = 0.05; // of the slider "magnified"
const MOST_ZOOM = 8;

// Returns a function that tells whether two fingers are magnifying.
function magnifier({ root, model, on, undo, placeIn }) {
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
    const zoom = bounded(before.zoom * step);
    if (zoom === before.zoom && !event.ctrlKey) return; // the page scrolls on
    event.preventDefault();
    const at = placeIn(box, event);
    show(around(at, before, zoom));
    ending = setTimeout(() => settleAt(at), 150);
  }
  function settleAt(at) {
    const now = view(); // the slider has steps, and would move the picture to one of them
    show(around(at, now, Math.round(now.zoom / ZOOM_STEP) * ZOOM_STEP));
    sendZoom();
  }
  const bounded = (zoom) => Math.min(MOST_ZOOM, Math.max(1, zoom));

  const fingers = new Map(); // those on the photograph, by pointer
  let pinch = null; // how far apart they were, and what was magnified then

  function fingerDown(event) {
    if (event.pointerType !== "touch" || !event.target.closest?.(".cnnw-touch-photo")) return;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) pinch = { apart: apart(), before: view() };
  }
  function fingerMoved(event) {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event);
    if (!pinch) return;
    const zoom = bounded(pinch.before.zoom * apart() / Math.max(pinch.apart, 1));
    pinch.at = between();
    show(around(pinch.at, view(), zoom));
  }
  function fingerUp(event) {
    if (!fingers.delete(event.pointerId) || !pinch) return;
    const { at } = pinch;
    pinch = null;
    if (at) settleAt(at);
  }
  function apart() {
    const [one, other] = [...fingers.values()];
    return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  }
  function between() {
    const [one, other] = [...fingers.values()];
    return placeIn(root.querySelector(".cnnw-touch-photo"),
                   { clientX: (one.clientX + other.clientX) / 2,
                     clientY: (one.clientY + other.clientY) / 2 });
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

  on(root, "wheel", zoomed, { passive: false });
  on(root, "dblclick", zoomReset);
  on(root, "pointerdown", fingerDown);
  on(root, "pointermove", fingerMoved);
  on(window, "pointerup", fingerUp);
  on(window, "pointercancel", fingerUp);
  model.on("msg:custom", zoomKnown);
  undo.push(() => model.off("msg:custom", zoomKnown), () => clearTimeout(settling),
            () => clearTimeout(ending));
  return () => pinch !== null;
}
