"""What a panel shows and says: a `View`, numbers in words, heat-maps over photographs. No widgets.

A `View` holds pictures, tables and lines of text, and the same in words; it knows neither HTML nor
Matplotlib. `captions` puts numbers and maps into words, `overlays` lays maps over photographs.

>>> from cnn_widgets.views import captions
>>> View("A photograph.", captions.percent(0.034)).caption
'3.4 %'
"""

from cnn_widgets.views.view import Mark, Matrix, View

__all__ = ["Mark", "Matrix", "View"]
