// Whether the kernel is still there, where the front end itself does not say so: in Voilà.

function presence({ root, undo }) {
  const config = document.getElementById("jupyter-config-data");
  if (!document.body.dataset.voila || !config) return;
  const { baseUrl, kernelId } = JSON.parse(config.textContent);

  async function look() {
    const answer = await fetch(`${baseUrl}api/kernels/${kernelId}`).catch(() => null);
    const gone = !answer || answer.status === 404; // without an answer the server is gone, too
    root.classList.toggle("jupyter-widgets-disconnected", gone);
  }

  const timer = setInterval(look, 10_000);
  undo.push(() => clearInterval(timer));
}
