"""A new model needs one file and one line of the registry: views, contributions and attention follow from these."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from pages.attention_parts.runs import has_attention
from recsys_core.contracts import Ability, ModelConfig, ModelInfo, RunContext
from recsys_core.data import Dataset
from recsys_core.explain.attention import attended
from recsys_core.explain.registry import views_of
from recsys_core.explain.view import ViewRequest
from recsys_core.models.linear import LinearItemModel
from recsys_core.models.registry import MODELS, make_model, model_class
from recsys_core.models.sasrec import SasRec
from recsys_core.viz.attention import heat_map, learned
from recsys_core.viz.inside_views import PICTURES
from tests.contract.cases import tastes

WITH_ATTENTION = "one_look"


class CosineItems(LinearItemModel[ModelConfig]):
    """Cosine similarity of the columns of the user-item matrix, without the diagonal."""

    info: ClassVar[ModelInfo] = ModelInfo(
        key="cosine_items",
        title="Cosine items",
        family="linear",
        idea="Recommends items with the same users.",
        formula=r"s_{ui} = \sum_{j \in P(u)} \cos(x_i, x_j)",
        source="this test",
        abilities=frozenset({Ability.EXPLAINS_ITEMS}),
        views=("around", "items"),
    )
    config_type = ModelConfig

    def _fit(self, train: Dataset, ctx: RunContext) -> None:
        columns = csr_array(train.matrix("binary")).toarray().astype(np.float32)
        columns /= np.maximum(np.linalg.norm(columns, axis=0), 1e-9)
        self.item_weights = columns.T @ columns
        np.fill_diagonal(self.item_weights, 0.0)


class OneLook(SasRec):
    """A network with attention and its own key."""

    info: ClassVar[ModelInfo] = replace(SasRec.info, key=WITH_ATTENTION, title="One look")


def test_a_new_linear_model_has_the_views_of_ease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "cosine_items", f"{__name__}:CosineItems")
    data = tastes()
    model = make_model("cosine_items")
    model.fit(data, RunContext())
    query = data.queries(np.array([4]))
    item = int(model.recommend(query, 1).item[0, 0])
    offered = views_of(model.info, None)
    assert {view.key for view in offered} == {view.key for view in views_of(model_class("ease").info, None)}
    for view in offered:
        picture, view_data = PICTURES[view.key], view.look(ViewRequest(model, data, query, item))
        assert picture.draw(view_data).data
        assert "{" not in f"{picture.sentence(view_data)} {picture.more(view_data)}"
    explained = model.explain(query, item)  # type: ignore[attr-defined]
    assert_allclose(explained.weights.sum() + explained.remainder, model.score(query)[0, item], rtol=1e-5)


def test_a_new_network_with_attention_is_shown_on_the_page_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, WITH_ATTENTION, f"{__name__}:OneLook")
    data = tastes()
    settings = {"embedding_dim": 8, "n_layers": 1, "n_heads": 1, "epochs": 2, "patience": 0, "batch_size": 16}
    model = make_model(WITH_ATTENTION, settings)
    model.fit(data, RunContext())
    assert has_attention(WITH_ATTENTION)
    assert not has_attention("ease")
    found = attended(model.trace(data.queries(np.array([4]))), data)  # type: ignore[attr-defined]
    assert heat_map(found).data
    assert "{" not in str(learned(found))
    assert "effects" in {view.key for view in views_of(model.info, None)}
