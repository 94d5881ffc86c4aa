"""Passages of sections 2.1 and 2.2: the rating matrix, and neighbors."""

from collections.abc import Mapping

from recsys_core.lessons.source.passage import Passage
from recsys_core.text import later

PEARSON: Mapping[str, Mapping[str, str]] = {"user_knn": {"similarity": "pearson"}}
MATRIX = (
    Passage(
        "matrix",
        "2.1",
        "二、基于协同过滤的推荐算法",
        later("An upload becomes one data set. *Explore* shows a sample of its matrix, and how empty it is."),
        pages=("data", "explore"),
        lessons=("matrix",),
        code=("data.dataset:Dataset",),
    ),
    Passage(
        "users_by_items",
        "2.1",
        "1. User-Item Rating Matrix",
        later("One row per user, one column per item; only filled cells are stored."),
        models=("user_knn",),
        lessons=("matrix",),
        code=("data.dataset:Dataset.matrix",),
    ),
    Passage(
        "items_by_users",
        "2.1",
        "2. Item-User Rating Matrix",
        later("The transpose of the same matrix: Item kNN compares its rows, the items, by the users they share."),
        reading=later("The two structures are read as two views of one data set, not as two kinds of data."),
        models=("item_knn",),
        lessons=("matrix",),
        code=("data.dataset:Dataset.matrix", "models.item_knn:ItemKNN"),
    ),
)
NEIGHBORS = (
    Passage(
        "neighbors",
        "2.2",
        "2.2 协同过滤算法",
        later("User kNN scores items by the ratings of the most similar users; Item kNN does the same for items."),
        departure=later(
            "The text looks for the ‘most active’ users. Neighbors here are the most similar ones: activity enters "
            "only through the shared items."
        ),
        models=("user_knn", "item_knn"),
        pages=("train", "inside"),
        lessons=("neighbors",),
        code=("models.user_knn:UserKNN",),
    ),
    Passage(
        "pearson",
        "2.2",
        "基于用户的协同过滤算法有很多种实现方式",
        later("The measure *pearson* computes this formula. The default is the cosine, which needs no ratings."),
        reading=later(
            "The sums run over the n items that both users rated, and the means are over these items, too: otherwise "
            "the result would not be a correlation of two lists of the same length."
        ),
        models=("user_knn", "item_knn"),
        literal=PEARSON,
        lessons=("neighbors",),
        code=("models.similarity:compare_with_all", "models.similarity:pair_terms"),
    ),
    Passage(
        "correlation",
        "2.2",
        "其中，x、y为两个变量",
        later(
            "A pair without variance has the similarity 0. With two shared items the correlation is −1, 1 or "
            "undefined, whatever the taste: shrinkage and a minimum overlap account for that."
        ),
        departure=later(
            "The text takes 0 for ‘unrelated’. A correlation of 0 only excludes a linear relation; and neighbors need "
            "a positive similarity."
        ),
        models=("user_knn",),
        literal=PEARSON,
        lessons=("neighbors",),
        code=("models.similarity:Measure", "models.most_similar:top_similar"),
    ),
    Passage(
        "ratings",
        "2.2",
        "基于用户的协同过滤算法的流程如下",
        later("R is the matrix of all training interactions."),
        departure=later(
            "‘All ratings of all users for all items’ do not exist: most cells are empty, and an empty cell is not a "
            "rating of 0. Only shared items are compared, while the norms of the cosine run over all entries of a row."
        ),
        models=("user_knn",),
        lessons=("matrix", "neighbors"),
        code=("data.dataset:Dataset.matrix",),
    ),
    Passage(
        "similarities",
        "2.2",
        "2. 为每一个用户计算用户的相似度矩阵W",
        later(
            "Pearson, cosine and adjusted cosine are settings, besides MSD, Jaccard, Tversky and the dot product, "
            "with a minimum overlap and shrinkage."
        ),
        reading=later(
            "The ‘normalized cosine’ is read as the adjusted cosine: the mean of each column is subtracted first, and "
            "the norms run over the shared columns."
        ),
        departure=later(
            "W is never stored as a whole: a row of it is computed when the scores of a user are needed, which also "
            "serves users who were not in the training data."
        ),
        models=("user_knn", "item_knn"),
        literal={"user_knn": {"similarity": "adjusted_cosine"}},
        pages=("inside",),
        lessons=("neighbors",),
        code=("models.user_knn:UserKNN.user_similarities", "models.similarity:KINDS"),
    ),
    Passage(
        "new_user",
        "2.2",
        "3. 为新用户推荐新的物品",
        later(
            "A new user is a history on *Recommend*: scores depend on it alone, so known and unknown users with the "
            "same history have the same list."
        ),
        models=("user_knn",),
        pages=("recommend",),
        code=("models.user_knn:UserKNN", "contracts:FoldIn"),
    ),
    Passage(
        "nearest",
        "2.2",
        "a. 计算新用户与所有其他用户的相似度",
        later("The k neighbors of largest positive similarity; *Inside* lists them with the items they share."),
        departure=later(
            "Users with exactly the same ratings are left out: they can only vote for items that are already in the "
            "history."
        ),
        models=("user_knn",),
        pages=("inside",),
        lessons=("neighbors", "prediction"),
        code=("models.most_similar:top_similar",),
    ),
    Passage(
        "prediction",
        "2.2",
        "b. 计算新用户对每一个物品的预测分",
        later(
            "A predicted rating is the mean of the ratings of the k most similar users among those who rated the item, "
            "weighted by similarity; ratings may be centered by the mean of each neighbor, or standardized."
        ),
        reading=later(
            "Not every neighbor rated the item. The mean is read as one over the k most similar users who did."
        ),
        departure=later(
            "Lists are sorted by the sum of the weighted votes of the k nearest users, since the mean ranks items "
            "with one or two high ratings first. The weighted mean is the setting *mean* of *Aggregation*."
        ),
        models=("user_knn", "item_knn"),
        literal={"user_knn": {"similarity": "pearson", "aggregation": "mean"}},
        pages=("inside",),
        lessons=("prediction",),
        code=("models.most_similar:mean_of_most_similar", "models.user_knn:sum_of_nearest"),
    ),
    Passage(
        "order",
        "2.2",
        "c. 按预测分的高低对物品进行排序",
        later(
            "The N items of highest score that the user has not seen. Ties are broken by a seeded permutation of the "
            "items, so that the order of a file never counts."
        ),
        models=("user_knn",),
        pages=("recommend",),
        code=("models.topk:top_k",),
    ),
    Passage(
        "rounds",
        "2.2",
        "4. 迭代这个过程",
        later(
            "With more than one *similarity round*, missing ratings of the neighbors are filled with the last "
            "predictions, and similarities and predictions are computed again, until no prediction changes by the "
            "tolerance. The change of each round is in the training history."
        ),
        reading=later(
            "What is iterated is not stated. It is read as imputation in the neighborhood: only observed ratings vote, "
            "imputed ones act through the similarities."
        ),
        departure=later(
            "The user for whom scores are computed is not imputed, so that an unknown user with the same history gets "
            "the same scores. ‘Until it converges’ need not happen, as neighbors are selected anew in each round: the "
            "number of rounds is bounded."
        ),
        models=("user_knn", "item_knn"),
        literal={"user_knn": {"similarity": "pearson", "iterations": "10"}},
        pages=("train",),
        lessons=("convergence",),
        code=("models.knn_config:KnnConfig",),
    ),
    Passage(
        "limits",
        "2.2",
        "协同过滤算法的优点",
        later(
            "Both limits are measured: metrics of head and tail items on *Compare*, and on *Experiments* a replay that "
            "shows how a stale model falls behind as time goes on."
        ),
        pages=("compare", "experiments"),
        lessons=("long_tail", "time_split"),
        code=("evaluation.beyond_accuracy:head_items", "experiments.update_replay"),
    ),
)
