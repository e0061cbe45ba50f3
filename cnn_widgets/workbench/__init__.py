"""The experiments of an explorer: each asks something of a `Scene`, and shows what came out.

In comes a `Scene`, with the choices of its `Bench`; out goes the result of a function of
`experiments`, `excitation`, `concepts` or `training`, and a `View` of it. Nothing is computed until
the fold of the experiments is open. What takes one or a few passes is computed as the choices
change; what takes long waits for its button.

>>> explorer = cw.CNNExplorer()
>>> explorer.show(experiments=True, experiment="silence", switched="3")
>>> view_of(explorer.scene).alt[:43]
'Filter 3 of stem silenced: Egyptian cat 77 '
"""

from cnn_widgets.workbench.experiment import Experiment
from cnn_widgets.workbench.table import TABLE, found_by, keep, leads, question, run, view_of

__all__ = ["TABLE", "Experiment", "found_by", "keep", "leads", "question", "run", "view_of"]
