"""The visitors' kernels: whose page is here, whose has left, and which of them still wait."""

from __future__ import annotations

from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from cnn_widgets.serving.places import Places


class VisitorKernels(AsyncMappingKernelManager):  # type: ignore[misc]  # it has no types
    """Jupyter's kernel manager, which tells `places` what becomes of each visitor's page.

    Attributes
    ----------
    places : Places or None
        None until the server has given it its own.
    away : float
        Seconds after which the kernel of a page that has gone ends.
    """

    places: Places | None = None
    away = 30.0

    def notify_connect(self, kernel_id: str) -> None:
        """Take note that a page has connected."""
        super().notify_connect(kernel_id)
        if self.places is not None:
            self.places.connected(kernel_id)

    def notify_disconnect(self, kernel_id: str) -> None:
        """Take note that a page has gone, or that its connection was cut."""
        super().notify_disconnect(kernel_id)
        if self.places is not None:
            self.places.disconnected(kernel_id)

    def remove_kernel(self, kernel_id: str) -> Any:
        """Take note that a kernel has ended."""
        if self.places is not None:
            self.places.ended(kernel_id)
        return super().remove_kernel(kernel_id)

    def waiting(self) -> set[str]:
        """Return the kernels that Voilà has made ready, and that no visitor has yet."""
        return {
            task.result()["kernel_id"]
            for task in self._prepared()
            if task.done() and not task.cancelled() and task.exception() is None
        }

    def _prepared(self) -> list[Any]:
        """Return Voilà's tasks, each of which starts a kernel for a visitor to come."""
        return [task for pool in getattr(self, "_pools", {}).values() for task in pool]

    async def cull_kernels(self) -> None:
        """End what nobody needs; Jupyter calls this again and again."""
        if self.places is not None:
            await self._sweep(self.places)
        await super().cull_kernels()  # those on whose page nothing happens

    async def _sweep(self, places: Places) -> None:
        """End the kernels whose page has been away for long, and forget those that died."""
        waiting = self.waiting()
        starting = any(not task.done() for task in self._prepared())
        for kernel in self.list_kernel_ids():
            if kernel in waiting:
                continue
            if not await self.is_alive(kernel):
                await self.shutdown_kernel(kernel, now=True)
            elif not starting:  # else it may be one that is made ready just now
                places.handed_out(kernel)
        for kernel in places.gone(self.away):
            if kernel in self:
                self.log.info("The page of kernel %s has gone: the kernel ends.", kernel)
                await self.shutdown_kernel(kernel)
            places.ended(kernel)
