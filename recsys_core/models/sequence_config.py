"""The settings that all sequence models share."""

from typing import Annotated

from pydantic import Field

from recsys_core.contracts import Knob
from recsys_core.models.network_config import NetworkConfig
from recsys_core.training.plan import LossName


class SequenceConfig(NetworkConfig):
    """Settings of all sequence models; a model overrides a default by declaring the field again.

    The help texts say which defaults come from a paper; the others were not tuned.
    """

    embedding_dim: Annotated[
        int, Field(ge=4, le=1024), Knob(16, 256, scale="log", symbol="D", label="Embedding dimension")
    ] = 128
    """Dimension of the item embeddings and of the hidden state."""
    max_length: Annotated[int, Field(ge=2, le=2000), Knob(20, 200, scale="log", label="Maximum sequence length")] = 200
    """Number of most recent items of a history that the model reads (Kang and McAuley 2018: 200 on ML-1M; not
    tuned)."""
    loss: Annotated[LossName, Knob()] = "softmax"
    """Training loss: cross-entropy over all items (softmax), or a loss with sampled negatives, which is faster for very
    large catalogs (Klenitskiy and Vasilev 2023 find softmax best)."""
    negatives: Annotated[
        int, Field(ge=1, le=4096), Knob(16, 512, scale="log", advanced=True, label="Negative samples")
    ] = 256
    """Number of negatives sampled per target; unused by the softmax loss (gSASRec: 256 on ML-1M; not tuned)."""
    calibration: Annotated[
        float, Field(ge=0, le=1), Knob(0.0, 1.0, symbol="t", advanced=True, label="gBCE calibration")
    ] = 0.75
    """Calibration of the gBCE loss, which reduces overconfidence from negative sampling: 0 is BCE, 1 full calibration
    (gSASRec: 0.75)."""
    dropout: Annotated[float, Field(ge=0, lt=1), Knob(0.0, 0.5)] = 0.2
    """Dropout probability in training."""
    epochs: Annotated[int, Field(ge=1, le=1000), Knob(10, 200, scale="log", label="Maximum epochs")] = 100
    """Maximum number of training epochs; early stopping usually ends training before."""
    patience: Annotated[int, Field(ge=0, le=100), Knob(2, 20, advanced=True)] = 10
    """Early stopping: training ends when the smoothed log-rank score on the validation users has not increased for this
    many epochs, and keeps the weights of the best epoch, averaged in the same way. Without a validation set, the last
    item of up to 1,000 users is held out for it. 0 disables early stopping."""
    batch_size: Annotated[int, Field(ge=1, le=4096), Knob(16, 256, scale="log", advanced=True)] = 64
    """Number of histories per training step (not tuned; Kang and McAuley 2018: 128)."""
    learning_rate: Annotated[float, Field(gt=0, le=1), Knob(3e-4, 5e-3, scale="log")] = 1e-3
    """Step size of Adam (not tuned; Kang and McAuley 2018: 0.001)."""
