"""What a front end must bring: the widgets of ipywidgets, and one module of anywidget."""

from ipywidgets.widgets.widget import _instances as alive

import cnn_widgets as cw


def modules(explorer):
    """Return the JavaScript modules that the widgets of an explorer come from, by majors."""
    waiting, found, seen = [explorer], set(), set()
    while waiting:
        widget = waiting.pop()
        if widget.model_id in seen:
            continue
        seen.add(widget.model_id)
        for name, version in (
            (widget._model_module, widget._model_module_version),
            (widget._view_module, widget._view_module_version),
        ):
            found.add((name, str(version).lstrip("^~").split(".")[0]))
        for value in widget.trait_values().values():
            several = value if isinstance(value, (list, tuple)) else [value]
            waiting += [each for each in several if hasattr(each, "model_id")]
    assert len(seen) > 100  # (the whole page was walked)
    return found


def test_the_explorer_needs_ipywidgets_8_and_anywidget_and_no_other_module(lite0):
    explorer = cw.CNNExplorer(lite0)
    try:
        assert explorer.model_id in alive
        assert {name for name, _ in modules(explorer)} == {
            "@jupyter-widgets/base", "@jupyter-widgets/controls", "anywidget"}  # fmt: skip
        assert dict(modules(explorer))["@jupyter-widgets/controls"] == "2"  # of ipywidgets 8
    finally:
        explorer.close()
