"""Pays in the background for what a first click would wait for."""

from __future__ import annotations

import logging
import threading
import time

from cnn_widgets.networks.network import Network

log = logging.getLogger(__name__)

#: Seconds without a click before the next step: whoever moves something has both cores.
CALM = 0.4


class Warmup:
    """Compiles a network's first answers, step by step, while nobody moves anything."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._network: Network | None = None
        self._every_layer = False
        self._moved, self._lock = 0.0, threading.Lock()

    @property
    def network(self) -> Network | None:
        """The network that is being, or has been, warmed up."""
        return self._network

    def start(self, network: Network, every_layer: bool = False) -> None:
        """Begin with a network, in place of any other; a network is warmed up once.

        Every layer: not only those browsed first.
        """
        with self._lock:  # of two beginnings at once, one could never be stopped
            if network is self._network and (self._every_layer or not every_layer):
                return
            self._stop.set()
            self._network, self._stop = network, threading.Event()
            self._every_layer = every_layer
            self._thread = threading.Thread(
                target=self._run,
                args=(network, every_layer, self._stop),
                name="cnn-widgets-warmup",
                daemon=True,
            )
            self._thread.start()

    def moved(self) -> None:
        """Note that somebody moved something: the next step waits until all is calm."""
        self._moved = time.monotonic()

    def stop(self) -> None:
        """End after the present step."""
        with self._lock:
            self._stop.set()
            self._network = None

    def wait(self, timeout: float | None = None) -> None:
        """Wait until all is warm, or the thread has ended."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, network: Network, every_layer: bool, stop: threading.Event) -> None:
        try:
            for _ in network.warm_up(every_layer):
                while not stop.is_set() and time.monotonic() - self._moved < CALM:
                    stop.wait(CALM)
                if stop.is_set():
                    return
        except Exception as error:  # the click itself will say what is wrong, where it shows
            log.info("%s could not be warmed up", network.name, exc_info=error)
