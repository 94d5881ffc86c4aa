"""The registry of algorithms: key -> path of its class. Reading the registry imports no algorithm."""

from importlib import import_module
from typing import Any

from recsys_core.contracts import ModelInfo
from recsys_core.errors import ConfigError
from recsys_core.models.base import Recommender
from recsys_core.models.plugins import Offer, load_offer, offers, problem_of
from recsys_core.models.programs import PREFIX, program_class, program_keys, program_problems
from recsys_core.text import _

MODELS = {
    "random": "recsys_core.models.random:Random",
    "popular": "recsys_core.models.popular:Popular",
    "recent_popular": "recsys_core.models.recent_popular:RecentPopular",
    "repeat": "recsys_core.models.repeat:Repeat",
    "bias": "recsys_core.models.bias:Bias",
    "biased_mf": "recsys_core.models.biased_mf:BiasedMF",
    "ials": "recsys_core.models.ials:Ials",
    "bpr": "recsys_core.models.bpr:Bpr",
    "pure_svd": "recsys_core.models.pure_svd:PureSVD",
    "nmf": "recsys_core.models.nmf:NMF",
    "fm": "recsys_core.models.fm:FactorizationMachine",
    "lfm": "recsys_core.models.lfm:Lfm",
    "user_knn": "recsys_core.models.user_knn:UserKNN",
    "item_knn": "recsys_core.models.item_knn:ItemKNN",
    "ease": "recsys_core.models.ease:Ease",
    "slim": "recsys_core.models.slim:Slim",
    "rp3beta": "recsys_core.models.rp3beta:RP3beta",
    "content_mean": "recsys_core.models.content_mean:ContentMean",
    "content_features": "recsys_core.models.content_features:ContentFeatures",
    "svm_hierarchy": "recsys_core.models.svm_hierarchy:SvmHierarchy",
    "association_rules": "recsys_core.models.association_rules:AssociationRules",
    "social_knn": "recsys_core.models.social_knn:SocialKNN",
    "social_mf": "recsys_core.models.social_mf:SocialMF",
    "trust_svd": "recsys_core.models.trust_svd:TrustSVD",
    "markov": "recsys_core.models.markov:Markov",
    "session_knn": "recsys_core.models.session_knn:SessionKNN",
    "sasrec": "recsys_core.models.sasrec:SasRec",
    "rnn": "recsys_core.models.rnn:Rnn",
    "cnn": "recsys_core.models.cnn:Cnn",
    "interest_attention": "recsys_core.models.interest_attention:InterestAttention",
    "recursive": "recsys_core.models.recursive:Recursive",
    "mult_vae": "recsys_core.models.mult_vae:MultVae",
    "lightgcn": "recsys_core.models.lightgcn:LightGcn",
    "mlp": "recsys_core.models.mlp:Mlp",
    "two_tower": "recsys_core.models.two_tower:TwoTower",
    "seq2seq": "recsys_core.models.seq2seq:Seq2Seq",
    "ensemble": "recsys_core.models.ensemble:Ensemble",
}

NOT_TRAINED = {"list": "recsys_core.models.external:UploadedList"}
"""Contenders of other kinds, which are described like models but not offered for training."""


def model_class(key: str) -> type[Recommender[Any]]:
    """Return the class of an algorithm.

    Raises:
        ConfigError: The key is unknown, or its package or program cannot be used.
    """
    if key.startswith(PREFIX):
        return program_class(key)
    path = MODELS.get(key) or NOT_TRAINED.get(key)
    if path is None and (offer := package_offers().get(key)) is not None:
        return load_offer(offer)
    if path is None:
        raise ConfigError(
            _("There is no algorithm '{key}'. Known: {known_models}.").format(
                key=key, known_models=", ".join(known_models())
            )
        )
    module, name = path.split(":")
    found: type[Recommender[Any]] = getattr(import_module(module), name)
    return found


def make_model(key: str, config: dict[str, Any] | None = None) -> Recommender[Any]:
    """Return an untrained model; settings that are not given keep their defaults.

    Raises:
        ConfigError: Unknown key, unknown setting, or a value outside its bounds.
    """
    found = model_class(key)
    return found(found.config_type.parse(config or {}))


def is_stochastic(key: str, config: dict[str, Any]) -> bool:
    """Return whether the scores of a model with these settings depend on the seed.

    Raises:
        ConfigError: As `make_model`.
    """
    model = make_model(key, config)
    return type(model).is_stochastic(model.config)


def model_infos() -> dict[str, ModelInfo]:
    """Return the description of each algorithm that can be used, in the order of `known_models`."""
    return {key: model_class(key).info for key in usable_models()}


def package_offers() -> dict[str, Offer]:
    """Return the algorithms of installed packages by key, without those whose key is taken."""
    return offers(tuple(MODELS))[0]


def known_models() -> list[str]:
    """Return the keys of all algorithms that can be trained: of Recscope, of installed packages, and programs.

    No algorithm is imported.
    """
    return [*MODELS, *package_offers(), *program_keys()]


def usable_models() -> list[str]:
    """Return the keys of the algorithms whose classes can be imported; see `model_problems` for the others."""
    return [key for key in known_models() if not _problem(key)]


def model_problems() -> list[str]:
    """Return a sentence about each algorithm of an installed package, and each program, that cannot be used."""
    problems = (_problem(key) for key in known_models())
    return [*offers(tuple(MODELS))[1], *(words for words in problems if words), *program_problems()]


def _problem(key: str) -> str:
    offer = package_offers().get(key)
    return "" if offer is None else problem_of(offer)
