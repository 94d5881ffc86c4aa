"""The formula on the page follows the settings of the trained model."""

from itertools import product
from typing import Any

import pytest

from recsys_core.configs import field_specs
from recsys_core.models.registry import MODELS, model_class

BOTH = (True, False)


def formula(key: str, config: dict[str, Any] | None = None, *, rated: bool = True, weighted: bool = False) -> str:
    found = model_class(key)
    return found.formula_of(found.config_type.parse(config or {}), rated=rated, weighted=weighted)


@pytest.mark.parametrize("key", MODELS)
def test_the_formula_of_the_registry_is_that_of_the_defaults(key: str) -> None:
    found = model_class(key)
    assert formula(key) == found.info.formula
    assert found.source_of(found.config_type()) == found.info.source


@pytest.mark.parametrize("key", MODELS)
def test_every_choice_gives_a_formula_whose_brackets_close(key: str) -> None:
    choices = [spec for spec in field_specs(model_class(key).config_type) if spec.choices]
    for spec in choices:
        for value, shrinkage, rated, weighted in product(spec.choices, (0.0, 10.0), BOTH, BOTH):
            config = {spec.name: value}
            if "shrinkage" in model_class(key).config_type.model_fields:
                config["shrinkage"] = shrinkage
            text = formula(key, config, rated=rated, weighted=weighted)
            assert text.count("{") == text.count("}"), text
            assert text.count("(") == text.count(")"), text
            assert text.count(r"\left(") == text.count(r"\right)"), text


@pytest.mark.parametrize(
    ("key", "config", "shown", "hidden"),
    [
        ("user_knn", {}, [r"s_{uv} \, r_{vi}", "r_{uj}^2"], [r"\bar{r}", r"\sigma"]),
        ("user_knn", {"centering": "mean"}, [r"s_{uv} \, (r_{vi} - \bar{r}_v)"], [r"\sigma"]),
        ("user_knn", {"centering": "zscore"}, [r"\frac{r_{vi} - \bar{r}_v}{\sigma_v}"], []),
        ("user_knn", {"centering": "zscore", "aggregation": "mean"}, [r"\bar{r}_u + \sigma_u \frac"], [r"\hat{x}"]),
        ("user_knn", {"aggregation": "mean"}, [r"\hat{r}_{ui} = \frac", "N_k(u, i)"], [r"\bar{r}"]),
        ("user_knn", {"shrinkage": 9}, [r"\frac{\min(n, \beta)}{\beta}"], []),
        ("user_knn", {"shrinkage": 9, "shrinkage_form": "hyperbolic"}, [r"\frac{n}{n + \beta}"], [r"\min"]),
        ("item_knn", {}, [r"s_{ij} \, r_{uj}", "r_{vi}^2"], [r"\bar{r}"]),
        ("item_knn", {"shrinkage": 9, "shrinkage_form": "denominator"}, [r" + \beta}"], [r"\min", r"n + \beta"]),
        ("item_knn", {"similarity": "pearson"}, [r"\bar{r}_{i|j}"], []),
        ("item_knn", {"similarity": "adjusted_cosine"}, [r"r_{vi} - \bar{r}_v"], []),
        ("item_knn", {"similarity": "jaccard"}, [r"|R(i) \cup R(j)|"], [r"\sqrt"]),
        ("item_knn", {"similarity": "tversky"}, [r"+ a \, |R(i) \setminus R(j)| + b \, |R(j)"], [r"\sqrt", r"\cup"]),
        ("item_knn", {"weighting": "tfidf"}, ["w_{vi} w_{vj}", r"\sqrt{r_{vi}} \, \log \frac{N}{1 + |P(v)|}"], ["k_1"]),
        ("user_knn", {"weighting": "bm25", "similarity": "dot"}, ["k_1", "w_{uj} w_{vj}", "|R(j)|"], [r"\sqrt"]),
        ("item_knn", {"similarity": "msd"}, ["(r_{vi} - r_{vj})^2"], [r"\sqrt"]),
        ("item_knn", {"min_overlap": 7}, [r"\text{ if } n < 7"], []),
        ("item_knn", {"iterations": 3}, [r"\text{ in up to 3 rounds}"], []),
        ("social_knn", {}, [r"w_{uv} \, r_{vi}", r"(1 - m) \, s_{uv} + m \, t_{uv}"], [r"\bar{r}", r"\delta"]),
        ("social_knn", {"mix": 0}, [r"s_{uv} \, r_{vi}"], ["t_{uv}", "w_{uv}"]),
        ("social_knn", {"hops": 3}, [r"\delta^{l-1}"], []),
        ("bias", {"terms": "item"}, ["b_i"], ["b_u", r"\beta"]),
        ("bias", {"terms": "user", "shrinkage": 5}, ["b_u", r"|P(u)| + \beta"], ["b_i"]),
        ("association_rules", {"scoring": "best"}, [r"\max_{A"], [r"\sum"]),
        ("social_mf", {"social": 0}, [r"p_u^\top q_i"], ["t_{uv}"]),
        ("trust_svd", {"trust": False}, ["y_j"], ["w_v", "T_u"]),
        ("lfm", {"use_attributes": False}, ["(f_i)"], ["W x_i", r"\lambda_i"]),
        ("content_mean", {"form": "literal"}, [r"{|P(u)|^\alpha + |R(i)|}", r"\nu_i = \bar{r}_i"], ["w_{ij}", "kappa"]),
        ("content_mean", {"form": "literal", "shrinkage": 0.5}, [r"\kappa"], []),
        ("content_mean", {"unrated": "left_out"}, [r"j \in P(u),\, j \neq i"], [r"}{\mu_u}"]),
        ("content_features", {"liking": "deviation"}, [r"w_{uj} = r_{uj} - \mu_u"], [r"\ge"]),
        ("rnn", {}, ["r_t", "n_t"], [r"\mathrm{cell}", "o_t"]),
        ("rnn", {"cell": "lstm"}, [r"\tanh c_t", "o_t"], ["r_t", "n_t"]),
        ("rnn", {"cell": "plain"}, [r"h_t = \tanh(W v_{i_t}"], [r"\sigma"]),
        ("seq2seq", {}, [r"\sqrt{D}"], [r"\tanh"]),
        ("seq2seq", {"attention": "additive"}, [r"v^\top \tanh(q + W_e E)"], [r"\sqrt{D}"]),
        ("interest_attention", {"global_update": False}, [r"\sum_v A_{Tv} e_v"], ["U"]),
        ("interest_attention", {"global_update": False, "local_update": "none"}, [r"s_T^\top e_j"], ["A_", "z"]),
        ("mlp", {"score": "dot"}, [r"v_u^\top w_i, "], [r"\phi"]),
        ("mlp", {"features": False}, [r"\phi"], ["A a_u", "F x_i"]),
        ("content_features", {"attribute_weight": 0}, [r"\cos\left(p_u, x_i\right)"], ["g_i"]),
    ],
)
def test_settings_change_the_formula(key: str, config: dict[str, Any], shown: list[str], hidden: list[str]) -> None:
    text = formula(key, config)
    for part in shown:
        assert part in text, text
    for part in hidden:
        assert part not in text, text


@pytest.mark.parametrize(
    ("key", "plain", "weighted"),
    [
        ("popular", "|R(i)|", "w_{vi}"),
        ("ease", r"\sum_{j \in P(u)} B_{ji}", "c_{uj} B_{ji}"),
        ("user_knn", r"\sum_{v \in N_k(u) \cap R(i)} s_{uv},", r"s_{uv} \, c_{vi}"),
        ("item_knn", r"\sum_{j \in P(u) \cap N_k(i)} s_{ij},", "c_{vi} c_{vj}"),
        ("content_features", "w_{uj} = 1", "w_{uj} = c_{uj}"),
        ("lfm", r"\frac{g \, n}{1 + n}", r"c_{uj} \, \frac{g \, n}{1 + n}"),
    ],
)
def test_data_without_ratings_change_the_formula(key: str, plain: str, weighted: str) -> None:
    assert plain in formula(key, rated=False)
    assert weighted not in formula(key, rated=False)
    assert weighted in formula(key, rated=False, weighted=True)


def test_the_source_follows_the_settings() -> None:
    mean, trust = model_class("content_mean"), model_class("trust_svd")
    sasrec, mlp = model_class("sasrec"), model_class("mlp")
    assert "Petrov and Macdonald 2023" in sasrec.source_of(sasrec.config_type.parse({"loss": "gbce"}))
    assert "He et al." not in mlp.source_of(mlp.config_type.parse({"score": "dot"}))
    assert "verbatim" in mean.source_of(mean.config_type.parse({"form": "literal"}))
    assert "SVD++" in trust.source_of(trust.config_type.parse({"trust": False}))
