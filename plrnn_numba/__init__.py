from ._schema import ConfigError
from .bptt import loss_and_grad
from .config import Config
from .dynamics import DivergenceWarning, generate, jacobian, step
from .forcing import GTF, STF
from .model import Model, Scaling, init_model, predict
from .models._base import Hinge
from .models.alrnn import ALRNN
from .models.clipped_shplrnn import ClippedShPLRNN
from .models.convert import to_hinge, to_shplrnn
from .models.plrnn import PLRNN
from .models.shplrnn import ShPLRNN
from .observation import Affine, Identity
