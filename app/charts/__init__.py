"""Charts as SVG: pure functions place the data, ``templates/includes/charts.html`` draws it.

No chart reads the database or knows what it shows; all of them work without scripts.
"""

from app.charts.axis import Axis, Tick, linear_axis, log_axis
from app.charts.plot import Bar, Plot, make_plot, rectangle

__all__ = ["Axis", "Bar", "Plot", "Tick", "linear_axis", "log_axis", "make_plot", "rectangle"]
