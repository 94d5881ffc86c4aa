"""The registry of algorithms: key -> path of its class. Reading the registry imports no algorithm."""

from importlib import import_module
from typing import Any

from recsys_core.contracts import ModelInfo
from recsys_core.errors import ConfigError
from recsys_core.models.base import Recommender

MODELS = {
    "random": "recsys_core.models.random:Random",
    "popular": "recsys_core.models.popular:Popular",
    "bias": "recsys_core.models.bias:Bias",
    "biased_mf": "recsys_core.models.biased_mf:BiasedMF",
    "ials": "recsys_core.models.ials:Ials",
    "bpr": "recsys_core.models.bpr:Bpr",
    "fm": "recsys_core.models.fm:FactorizationMachine",
    "lfm": "recsys_core.models.lfm:Lfm",
    "user_knn": "recsys_core.models.user_knn:UserKNN",
    "item_knn": "recsys_core.models.item_knn:ItemKNN",
    "ease": "recsys_core.models.ease:Ease",
    "content_mean": "recsys_core.models.content_mean:ContentMean",
    "content_features": "recsys_core.models.content_features:ContentFeatures",
    "svm_hierarchy": "recsys_core.models.svm_hierarchy:SvmHierarchy",
    "association_rules": "recsys_core.models.association_rules:AssociationRules",
    "social_knn": "recsys_core.models.social_knn:SocialKNN",
    "social_mf": "recsys_core.models.social_mf:SocialMF",
    "trust_svd": "recsys_core.models.trust_svd:TrustSVD",
    "sasrec": "recsys_core.models.sasrec:SasRec",
    "rnn": "recsys_core.models.rnn:Rnn",
    "cnn": "recsys_core.models.cnn:Cnn",
    "interest_attention": "recsys_core.models.interest_attention:InterestAttention",
    "recursive": "recsys_core.models.recursive:Recursive",
    "mlp": "recsys_core.models.mlp:Mlp",
    "seq2seq": "recsys_core.models.seq2seq:Seq2Seq",
}


def model_class(key: str) -> type[Recommender[Any]]:
    """Return the class of an algorithm.

    Raises:
        ConfigError: The key is unknown.
    """
    if key not in MODELS:
        raise ConfigError(f"There is no algorithm '{key}'. Known: {', '.join(MODELS)}.")
    module, name = MODELS[key].split(":")
    found: type[Recommender[Any]] = getattr(import_module(module), name)
    return found


def make_model(key: str, config: dict[str, Any] | None = None) -> Recommender[Any]:
    """Return an untrained model; settings that are not given keep their defaults.

    Raises:
        ConfigError: Unknown key, unknown setting, or a value outside its bounds.
    """
    found = model_class(key)
    return found(found.config_type.parse(config or {}))


def model_infos() -> dict[str, ModelInfo]:
    """Return the description of each algorithm, in the order of the registry."""
    return {key: model_class(key).info for key in MODELS}
