"""What an explorer leaves in the notebook's file, for readers without a kernel."""

from __future__ import annotations

import logging
from collections.abc import Set
from typing import Any

from cnn_widgets.panels.export import is_private, preview_png
from cnn_widgets.scenes.scene import Scene

log = logging.getLogger(__name__)


def with_preview(bundle: Any, text: str, scene: Scene, uploads: Set[str]) -> Exception | None:
    """Add a PNG and a line of text to a widget's output.

    The widget itself must still be displayed, so an error is returned, not raised.

    Parameters
    ----------
    bundle : dict, or (dict, dict)
        What ipywidgets' `_repr_mimebundle_` returned.
    text : str
    scene : Scene
    uploads : set of str
        The names of uploaded photographs: a scene that shows one gets no picture.
    """
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    data["text/plain"] = text
    try:
        if not is_private(scene, uploads):
            data["image/png"] = preview_png(scene)
    except Exception as error:
        log.info("The preview picture could not be drawn", exc_info=error)
        return error
    return None
