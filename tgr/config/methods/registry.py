"""The list of all methods: a key here and the module ``tgr.methods.<key>`` make a method."""

from pydantic import Field

from tgr.config.base import Section
from tgr.config.methods.base import MethodParameters
from tgr.config.methods.baselines import Average, Bank, Best, Distil, Pixels, Random, Realdata, Replay
from tgr.config.methods.peers import BidfMkd, Dro, Free, Ota, Purer
from tgr.config.methods.tgr import Tgr


class Methods(Section):
    """The methods to run. A method takes part if its key is present; `{}` means its default parameters."""

    pixels: Pixels | None = Field(None, description="Floor: nearest class mean on raw pixels.")
    random: Random | None = Field(None, description="Fresh backbone.")
    best: Best | None = Field(None, description="Best single teacher.")
    average: Average | None = Field(None, description="Mean of the teachers' weights.")
    ota: Ota | None = Field(None, description="Mean of weights aligned by optimal transport (Singh & Jaggi 2020).")
    dro: Dro | None = Field(None, description="Distributionally robust fusion (Wang et al., UAI 2022).")
    bank: Bank | None = Field(None, description="One classifier over all classes of the image bank.")
    distil: Distil | None = Field(None, description="The learner of `bank`, taught by all teachers on all images.")
    replay: Replay | None = Field(None, description="TGR without the group step.")
    purer: Purer | None = Field(None, description="PURER (Hu et al., CVPR 2023).")
    bidf_mkd: BidfMkd | None = Field(None, description="BiDf-MKD (Hu et al., 2023).")
    free: Free | None = Field(None, description="FREE (Wei et al., CVPR 2024).")
    tgr: Tgr | None = Field(None, description="Task Groupings Regularization (Wei et al., ICML 2024).")
    realdata: Realdata | None = Field(None, description="Ceiling: real meta-train images.")

    def active(self) -> dict[str, MethodParameters]:
        """Return the methods that take part, by name, in the order of the tables."""
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}


def parameters_of(method: str, values: dict[str, object]) -> MethodParameters:
    """Return the parameters of a method from plain values.

    Raises:
        pydantic.ValidationError: unknown method, unknown key, or a value out of bounds.
    """
    return Methods.model_validate({method: values}).active()[method]
