"""Compiles in the background what the first clicks would otherwise wait for."""

from __future__ import annotations

import logging
import threading
import time

from cnn_widgets.environment import give_back_memory, stopped_at_exit
from cnn_widgets.networks.network import Network

log = logging.getLogger(__name__)

#: Seconds without a change by the user before the next step: compiling takes all cores, and the
#: user's own action would have to share them.
CALM = 0.4


class Warmup:
    """Compiles the functions behind the first clicks, step by step, while the user is idle."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._network: Network | None = None
        self._every_layer = False
        self._shown, self._moved, self._lock = False, 0.0, threading.Lock()
        stopped_at_exit(self)

    @property
    def network(self) -> Network | None:
        """The network last started; None before `start` and after `stop`."""
        return self._network

    def start(self, network: Network, every_layer: bool = False) -> None:
        """Start warming up a network, in place of any other; each network is warmed up once.

        `every_layer` compiles for every layer, not only for the default selection of layers.
        """
        with self._lock:  # of two threads started at the same time, `stop` would reach only one
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

    def shown(self, network: Network, every_layer: bool = False) -> None:
        """Start now that a page shows the explorer: one that no one looks at needs no warm-up."""
        self._shown = True
        self.start(network, every_layer)

    def moved(self, network: Network, every_layer: bool = False) -> None:
        """Note a change by the user: the next step waits until none came for `CALM` seconds.

        If a page shows the explorer and the network is another one now, that one is warmed up.
        """
        self._moved = time.monotonic()
        if self._shown:
            self.start(network, every_layer)

    def stop(self) -> None:
        """Ask the thread to end after its present step."""
        with self._lock:
            self._stop.set()
            self._network = None

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended, for at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, network: Network, every_layer: bool, stop: threading.Event) -> None:
        try:
            for _ in network.warm_up(every_layer):
                while not stop.is_set() and time.monotonic() - self._moved < CALM:
                    stop.wait(CALM)
                if stop.is_set():
                    return
            give_back_memory()  # compiling leaves tens of megabytes behind
        except Exception as error:  # the same error will be shown when the user needs the result
            log.info("%s could not be warmed up", network.name, exc_info=error)
