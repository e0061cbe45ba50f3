// Names, roles and states for those who do not see the page; places of the selected tiles.

const ABOUT = {
  photo: "The photograph. Arrow keys move a pinned cell, Enter pins another, R takes the hottest " +
    "region, F changes what is shown, plus and minus magnify, B blinks, Escape clears.",
  filter: "The map of one filter. Arrow keys move a pinned cell, Enter pins another.",
  mosaic: "Filters of the layer. Arrow keys choose a filter, X puts it on the list of filters that are switched, or takes it off.",
  depth: "Silent filters by depth. Left and right choose a layer.",
  strip: "Layer by layer. Left and right choose a layer.",
  confusion: "What is taken for what. Arrow keys choose a label and an answer, Escape all.",
};

const GRIDS = ["mosaic", "strip", "confusion"];

function nameAll({ root, model, undo, nameOf }) {
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
        box.setAttribute("role", GRIDS.includes(name) ? "grid" : "application");
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

  model.on("change:places", nameEverything);
  watch.observe(root, { subtree: true, childList: true, attributeFilter: ["title"] });
  undo.push(() => model.off("change:places", nameEverything), () => watch.disconnect());
  nameEverything();
}
