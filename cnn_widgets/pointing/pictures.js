// Pictures that are dropped on the page, pasted into it or chosen for it: scaled, then sent.

const MOST_FILES = 200; // pictures taken at once

// Returns a function that sends the pictures among files.
function picturesIn({ root, model, on }) {
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

  async function copyClicked(event) { // the share string of the view, to the clipboard
    const button = event.target.closest?.(".cnnw-control-copy");
    const text = root.querySelector(".cnnw-control-share input")?.value;
    if (!button || !text) return;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch (error) { // a page that may not: the string beside the button can be marked by hand
      button.textContent = "Mark it and copy it by hand";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  on(root, "click", copyClicked);
  on(root, "click", uploadClicked, true);
  on(root, "dragover", draggedOver);
  on(root, "dragleave", () => root.classList.remove("cnnw-dropping"));
  on(root, "drop", dropped);
  on(root, "paste", pasted);
  return sendFiles;
}
