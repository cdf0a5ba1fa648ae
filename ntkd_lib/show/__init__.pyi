"""Types of the public names, for type checkers and editors."""

from ntkd_lib.show.columns import ACCURACY as ACCURACY
from ntkd_lib.show.columns import DIFFERENCE as DIFFERENCE
from ntkd_lib.show.columns import INTERVAL as INTERVAL
from ntkd_lib.show.columns import PAPER_SCORE as PAPER_SCORE
from ntkd_lib.show.columns import PARAMETERS as PARAMETERS
from ntkd_lib.show.columns import SEEDS as SEEDS
from ntkd_lib.show.columns import STD as STD
from ntkd_lib.show.columns import Column as Column
from ntkd_lib.show.columns import show_recorded as show_recorded
from ntkd_lib.show.columns import show_table as show_table
from ntkd_lib.show.contest import Contest as Contest
from ntkd_lib.show.dots import BLUE as BLUE
from ntkd_lib.show.dots import GREEN as GREEN
from ntkd_lib.show.dots import ORANGE as ORANGE
from ntkd_lib.show.dots import PURPLE as PURPLE
from ntkd_lib.show.html import Html as Html
from ntkd_lib.show.html import element as element
from ntkd_lib.show.html import table as table
from ntkd_lib.show.numbers import MINUS as MINUS
from ntkd_lib.show.numbers import NONE as NONE
from ntkd_lib.show.numbers import interval_text as interval_text
from ntkd_lib.show.numbers import with_minus as with_minus
from ntkd_lib.show.panels import draw_panels as draw_panels
