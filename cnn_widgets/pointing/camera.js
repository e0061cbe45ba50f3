// The camera, where the browser has one and the page may use it.

function camera({ root, on, undo }, sendFiles) {
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
      canvas.toBlob((data) => sendFiles([new File([data], "camera.png")]), "image/png");
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
    root.querySelector(".cnnw-viewfinder")?.remove();
  }

  root.classList.toggle("cnnw-has-camera", Boolean(navigator.mediaDevices?.getUserMedia));
  on(root, "click", cameraClicked, true);
  undo.push(cameraEnd);
}
