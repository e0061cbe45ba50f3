"""What is on the table: photographs, networks, and the choices made about them. No widgets.

In come the photographs and networks that were given, held by a `Catalog`, and the user's choices,
traits of `State`; out goes one frozen `Scene`: every choice of that moment, and the arrays that
follow from it, each computed when it is first asked for.

>>> net = cw.load_network()
>>> catalogue = Catalog(None, net, {})
>>> resolve(State(catalogue, "cat", net.name), catalogue).chosen.name
'Egyptian cat'
"""

from cnn_widgets.scenes.catalog import Catalog
from cnn_widgets.scenes.resolving import resolve
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State

__all__ = ["Catalog", "Scene", "State", "resolve"]
