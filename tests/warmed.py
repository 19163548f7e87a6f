"""The last import of the server that processes are forked from: what each would load at its first request."""

import gc

from tests import preloaded as preloaded
from zantara_exp.config import compose
from zantara_exp.dataset.language import detector
from zantara_exp.dataset.redact import Redactor

detector(compose(["stage=shadow"])).detect("Buongiorno, vorrei sapere quanto costa il visto per un anno")
Redactor().text("Chiamami domani al +39 333 123 4567")
gc.freeze()  # a collection in a forked process would copy all of it
