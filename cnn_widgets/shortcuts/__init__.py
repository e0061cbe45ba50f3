"""Whether a network decides on something that is not the subject: marks, borders, colours, grounds.

In come a `Network` and labelled photographs; out goes `Shortcuts`: one `Finding` per suspicion,
each *tried* by taking the thing away, by blurring it, and by putting it into photographs of other
labels, beside random controls of the same size. Findings that do not hold are marked; of those that
hold, `Masked` tells what is left of the label without. `Focus` tells how far from its subject the
evidence for a label lies. `shortcuts_section` shows all of this on an audit's page.

>>> photographs = [(cw.load_image(np.full((8, 8, 3), v, np.uint8)), "tabby") for v in (0, 9)]
>>> find_shortcuts(cw.load_network(), photographs)
Traceback (most recent call last):
ValueError: Shortcuts are found by comparing labels: at least two need 8 photographs or more.
Received: 2 of 'tabby'
"""

from cnn_widgets.shortcuts.clusters import Cluster, spectral_clusters
from cnn_widgets.shortcuts.evidence import Focus, Look, Masked
from cnn_widgets.shortcuts.page import shortcuts_section
from cnn_widgets.shortcuts.result import Finding, Shortcuts
from cnn_widgets.shortcuts.searching import find_shortcuts
from cnn_widgets.shortcuts.trials import Blurring, Effect, Trial

__all__ = [
    "Blurring",
    "Cluster",
    "Effect",
    "Finding",
    "Focus",
    "Look",
    "Masked",
    "Shortcuts",
    "Trial",
    "find_shortcuts",
    "shortcuts_section",
    "spectral_clusters",
]
