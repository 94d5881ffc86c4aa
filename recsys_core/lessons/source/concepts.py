"""Passages of sections 1 to 3: background, concepts, the nine steps, and the function modules."""

from recsys_core.lessons.source.passage import Passage
from recsys_core.text import later

BACKGROUND = (
    Passage(
        "kinds",
        "1",
        "1.背景介绍",
        later(
            "Every kind in this list is a model or a card here: items placed by hand are the card *pin* of a strategy; "
            "content, rules, neighbors and networks are families on *Train*."
        ),
        reading=later(
            "‘Rule-based’ comes without a formula. It is read as association rules: frequent sets of items in baskets "
            "(a session, a day, or the whole history) give rules A → B with support, confidence and lift. The score of "
            "an item is the sum of the confidences of the rules that fire, or the best of them."
        ),
        departure=later(
            "FP-growth (of mlxtend) runs for rules of three items or more. Pairs, the default, are counted by one "
            "matrix product, which gives the same rules faster."
        ),
        models=("association_rules",),
        pages=("train", "strategy"),
        lessons=("baskets",),
        code=("models.association_rules:frequent_sets", "strategy.pin:Pin"),
    ),
    Passage(
        "depth",
        "1",
        "随着近几年来AI技术的发展",
        later(
            "Networks are trained beside older models, on the same split and with the same metrics, so that the data "
            "decide whether depth pays. Words of titles and texts become TF-IDF terms or topics; images become "
            "measures of color and edges."
        ),
        departure=later(
            "No pretrained network for text or images is part of Recscope. Vectors that one computed elsewhere are "
            "uploaded on *Items*, one row of numbers per item."
        ),
        pages=("compare", "items"),
        code=("profiles.words:weighted_terms", "profiles.pictures:read_pictures", "profiles.attach:attach_vectors"),
    ),
)
CONCEPTS = (
    Passage(
        "profile",
        "1.1",
        "2.核心概念与联系",
        later(
            "*Users* shows the profile of a user: attributes, habits (activity, times, ratings), weighted tags of the "
            "history, similar users, and the segment. It is a vector with named columns."
        ),
        models=("content_features",),
        pages=("users",),
        lessons=("content",),
        code=("profiles.users:UserProfiles",),
    ),
    Passage(
        "algorithms",
        "2",
        "2. 推荐算法",
        later(
            "All three named kinds are models: content with collaborative filtering, vector machines in a hierarchy, "
            "and the sequence encoder."
        ),
        reading=later(
            "The ‘probabilistic hierarchical algorithm based on vector machines’ is only named. It is read as linear "
            "support vector machines on item and user features that separate relevant from other items, with "
            "probabilities by Platt scaling, at three levels: all users, the segment, the user. The probability of a "
            "user is a mixture of the three; a level with n examples has the weight $n / (n + \\beta)$, so that few "
            "examples are shrunk towards the level above."
        ),
        models=("content_mean", "svm_hierarchy", "seq2seq"),
        pages=("train",),
        code=("models.svm_hierarchy:SvmHierarchy",),
    ),
    Passage(
        "features",
        "1.1",
        "3. 物品特征",
        later(
            "The item table becomes vectors: one column per category, TF-IDF terms of titles and texts (or their "
            "topics by truncated SVD), prices and other numbers scaled by median and quartiles, dates, measures of "
            "images, or uploaded vectors."
        ),
        models=("content_features",),
        pages=("items",),
        lessons=("content",),
        code=("profiles.features:item_features",),
    ),
    Passage(
        "cells",
        "2.1",
        "4. 评分矩阵",
        later(
            "Interactions are stored as rows of user, item and rating, with timestamp, event and weight where the data "
            "have them. A model makes the matrix from these rows when it needs it, and only filled cells take memory."
        ),
        reading=later(
            "The example [[A, B], [3]] is read as one filled cell: row of user A, column of item B, value 3."
        ),
        pages=("data", "explore"),
        lessons=("matrix",),
        code=("data.dataset:Dataset.matrix",),
    ),
    Passage(
        "clicks",
        "2",
        "5. 用户点击行为",
        later(
            "A click is one type of event; an upload may have several (view, cart, purchase), each with a weight. An "
            "experiment states which events are predicted and which are learned from. Without ratings, models learn "
            "from the interactions themselves, and those that need ratings cannot be selected."
        ),
        pages=("data", "train"),
        lessons=("matrix",),
        code=("data.task:Task", "data.dataset:Dataset.lacks"),
    ),
    Passage(
        "recall",
        "2.6",
        "6. 召回率和准确率",
        later("*Compare* shows recall and precision at several cutoffs, with confidence intervals and tests."),
        reading=later(
            "The wording is loose: recall is called the share of correct hits, precision the share of listed products "
            "that were visited; neither denominator is stated."
        ),
        departure=later(
            "Recscope uses the standard definitions: precision@k is hits / k, recall@k is hits / relevant items, per "
            "user, over all items that the user has not seen in training. A user without relevant test items is left "
            "out and counted. The text would maximize recall even at the expense of precision; here the verdict is on "
            "one primary metric, NDCG@k unless another one is selected. Definitions of other libraries are shown "
            "beside these."
        ),
        pages=("compare",),
        lessons=("metrics", "luck"),
        code=("evaluation.metrics:precision", "evaluation.metrics:recall", "evaluation.conventions:Convention"),
    ),
    Passage(
        "tail",
        "2.6",
        "7. 流行商品和冷门商品",
        later(
            "The head are the most popular items that hold 80 % of the training interactions, the tail are all others. "
            "Metrics are computed for each of them, and the exposure of items (coverage, Gini coefficient) beside them."
        ),
        departure=later(
            "Cold items are not removed from the catalog: whether recommending them pays is measured. The baseline "
            "Popularity shows how far popularity alone leads."
        ),
        models=("popular",),
        pages=("explore", "compare"),
        lessons=("long_tail",),
        code=("evaluation.beyond_accuracy:head_items", "evaluation.beyond_accuracy:gini"),
    ),
)
STEPS = (
    Passage(
        "collect",
        "2",
        "总结起来，推荐系统可以归纳为如下的过程",
        later(
            "*Data* reads files of interactions with their event types, and tables of users, items and social links."
        ),
        pages=("data",),
        lessons=("matrix",),
        code=("data.ingest.pipeline:ingest",),
    ),
    Passage(
        "clean",
        "2",
        "2. 数据清洗和集成",
        later(
            "Every rejected row is listed with its line and the reason. Rules treat duplicates, ratings outside the "
            "scale, unreadable timestamps, weights of events, and users or items with few interactions (k-core). Users "
            "that behave like robots are reported, and *Explore* marks outliers."
        ),
        departure=later(
            "Suspicious users are reported, not removed: the text removes abnormal data, but whether a very active "
            "user is abnormal is your decision."
        ),
        pages=("data", "explore"),
        lessons=("matrix",),
        code=("data.ingest.cleaning_rules:IngestRules", "data.ingest.quality_checks:dataset_warnings"),
    ),
    Passage(
        "vectors",
        "1.1",
        "3. 生成用户画像",
        later("Profiles are vectors of attributes, habits and preferences, in a space where users are compared."),
        models=("content_features",),
        pages=("users",),
        lessons=("content",),
        code=("profiles.users:user_profiles",),
    ),
    Passage(
        "standard",
        "1.1",
        "4. 提取物品特征",
        later("Features of items are vectors, one row per item, whose columns have names that explanations show."),
        reading=later(
            "‘Converted into a standard rating matrix’ is read as a matrix of features on comparable scales: features "
            "are not ratings."
        ),
        pages=("items",),
        lessons=("content",),
        code=("profiles.features:Features", "models.content:balanced"),
    ),
    Passage(
        "train",
        "2",
        "5. 训练推荐模型",
        later("*Train* fits the selected models on the same split, as jobs in processes of their own."),
        pages=("train",),
        code=("experiments.train_job", "models.registry:MODELS"),
    ),
    Passage(
        "online",
        "2",
        "6. 推荐商品",
        later(
            "*Recommend* takes the history of a user who is online now. Each model declares how it takes in a history "
            "that it was not trained on (fold-in): exactly, approximately, or not at all."
        ),
        pages=("recommend",),
        code=("contracts:FoldIn", "serving.recommendations"),
    ),
    Passage(
        "evaluate",
        "2.6",
        "7. 评估推荐效果",
        later(
            "Lists are compared with held-out interactions of the test period or test share, per user, with intervals "
            "and with warnings where the split leaks."
        ),
        pages=("compare",),
        lessons=("metrics", "luck", "time_split"),
        code=("evaluation.evaluate:evaluate", "data.leaks"),
    ),
    Passage(
        "update",
        "2",
        "8. 更新模型",
        later(
            "Networks continue training on newer data and are evaluated before and after; a replay compares stale, "
            "updated and refitted models. Settings are tuned on validation data, and the test part is read once "
            "after it."
        ),
        departure=later(
            "The text updates whenever the effect is poor. Here an update that does not improve the validation score "
            "leaves the network unchanged, where there are enough users to judge it."
        ),
        pages=("train", "experiments"),
        code=("contracts:UpdatesIncrementally", "experiments.update_replay", "experiments.tuning"),
    ),
    Passage(
        "strategy",
        "2.9",
        "9. 运营策略",
        later(
            "A strategy is a sequence of cards over the lists of a model: diversity, caps, quotas, pins, exploration. "
            "Each card has its price, paired by user, with an interval."
        ),
        pages=("strategy",),
        lessons=("whole_list",),
        code=("strategy.cards:CARDS", "strategy.prices"),
    ),
)
MODULES = (
    Passage(
        "attributes",
        "1.1",
        "3.核心算法原理和具体操作步骤",
        later(
            "These are columns of the user table: categories become one column per value, numbers are scaled. They "
            "enter Content vectors and Hierarchical SVM."
        ),
        models=("content_features", "svm_hierarchy"),
        pages=("users",),
        lessons=("content",),
        code=("profiles.features:user_attributes",),
    ),
    Passage(
        "content",
        "1.2",
        "2. 基于内容的推荐算法",
        later(
            "Content kNN with means follows the formula of section 1.2. Content vectors matches the features of items "
            "with the profile, the ordinary meaning of ‘content-based’, and can score items without any interaction."
        ),
        models=("content_mean", "content_features"),
        pages=("train",),
        lessons=("content", "document_formula"),
        code=("models.content_features:ContentFeatures",),
    ),
    Passage(
        "social",
        "3.social",
        "3. 基于社交网络的推荐算法",
        later(
            "Users are recommended on *Users*: by common friends (Adamic-Adar), personalized PageRank, common items, "
            "or the mean of the three, evaluated on held-out links. What friends rate is recommended by three models: "
            "Social kNN mixes trust and similarity, SocialMF pulls the factors of a user towards those of friends, "
            "TrustSVD learns from links as from ratings."
        ),
        reading=later(
            "The ‘chain of relations’ is read as paths of at most three links in the social graph; trust is the "
            "product of the weights along the best path, and decays with each further link."
        ),
        departure=later(
            "The text recommends users with similar interests; these models also recommend their items. Without a "
            "social table, an implicit graph of users with similar ratings can be selected, and is labeled so."
        ),
        models=("social_knn", "social_mf", "trust_svd"),
        literal={"social_knn": {"hops": "3"}},
        pages=("users",),
        lessons=("friends",),
        code=("profiles.graph:propagated_trust", "models.friend_recommendation"),
    ),
    Passage(
        "collaboration",
        "2.2",
        "4. 基于协同过滤的推荐算法",
        later(
            "What users have in common is User kNN, what items have in common is Item kNN; section 2.2 has the steps."
        ),
        models=("user_knn", "item_knn"),
        pages=("train", "inside"),
        lessons=("neighbors", "prediction"),
        code=("models.user_knn:UserKNN", "models.item_knn:ItemKNN"),
    ),
)
