"""Passages of sections 1.1 to 1.3: profiles, the content formula, and latent factors."""

from recsys_core.lessons.source.passage import Passage
from recsys_core.text import later

PROFILES = (
    Passage(
        "use",
        "1.1",
        "一、基于内容的推荐算法",
        later(
            "Segments group similar users and state the traits that set each group apart, such as age or categories. "
            "Content vectors compares a profile with items by the cosine and shows the matching terms."
        ),
        reading=later(
            "How the age or city of a user is compared with an item is not stated. The profile vector is the weighted "
            "mean of the vectors of relevant items, joined with the attributes of the user; the counterpart of the "
            "attributes is the audience of the item, the mean attributes of the users for whom it is relevant, shrunk "
            "towards 0 if they are few."
        ),
        models=("content_features",),
        pages=("users",),
        lessons=("content",),
        code=("profiles.segments:Segment", "models.content_features:ContentFeatures"),
    ),
    Passage(
        "tags",
        "1.1",
        "用户画像的获取通常会涉及到大量的文本分析",
        later(
            "Tags of a user are categories, words, and ranges of numbers such as prices. A tag has a large weight if "
            "it is frequent for this user and rarer overall: $\\mathrm{share} \\cdot \\log_2(\\mathrm{share} / "
            "\\mathrm{share\\ overall})$."
        ),
        pages=("users",),
        lessons=("content",),
        code=("profiles.tags:preference_tags",),
    ),
)
MEANS = (
    Passage(
        "idea",
        "1.2",
        "1.2 基于内容的推荐算法",
        later("Content kNN with means, in two forms: the formula of this section verbatim, and a repaired one."),
        reading=later(
            "The comparison is with ratings of other users, so content appears nowhere in the formula below. The form "
            "*literal* therefore needs no item table; the form *content*, the default, weights the ratings of the user "
            "by the similarity of the features of items."
        ),
        models=("content_mean",),
        literal={"content_mean": {"form": "literal"}},
        lessons=("document_formula",),
        code=("models.content_mean:ContentMean",),
    ),
    Passage(
        "ppr",
        "1.2",
        "1. 将用户与物品的关联矩阵表示为PPR矩阵",
        later("The matrix has the latest rating of each pair of user and item."),
        reading=later(
            "The PPR matrix is the rating matrix R. P(u) are the items that u rated. R(i), ‘all ratings of item i’, "
            "are the users who rated i, since only their number enters the formula."
        ),
        models=("content_mean",),
        lessons=("matrix",),
        code=("data.dataset:Dataset.matrix",),
    ),
    Passage(
        "engineering",
        "1.2",
        "2. 对PPR矩阵进行特征工程",
        later(
            "*Items* shows mean, standard deviation and confidence n / (n + shrinkage) of each item with n ratings. "
            "In the form *content*, the mean of an item is multiplied by such a confidence: few ratings count less."
        ),
        reading=later("The relative confidence has no formula in the text; it is read as n / (n + shrinkage)."),
        departure=later(
            "In the model, the shrinkage is relative to the number of ratings of the most rated item, so that one "
            "value fits small and large data. The deviation enters no formula, since the text gives it no place."
        ),
        models=("content_mean",),
        pages=("items",),
        lessons=("document_formula",),
        code=("profiles.items:ItemProfiles", "models.content_mean:ContentMeanConfig"),
    ),
    Passage(
        "formula",
        "1.2",
        "3. 使用协同过滤算法进行推荐",
        later(
            "The form *literal* computes this formula verbatim: "
            "$\\hat r_{ui} = \\frac{\\beta \\sum_{j \\in P(u)} r_{uj} + \\mu_u + \\nu_i}{|P(u)|^\\alpha + |R(i)|}$."
        ),
        reading=later(
            "J and I are both P(u), the items that u rated; U is R(i), the users who rated i. The mean $\\mu_{ui}$ ‘of "
            "user u for item i’ is the mean rating of the user, as a user rates an item once, and $\\nu_{iu}$ is the "
            "mean rating of the item."
        ),
        departure=later(
            "The form *content* has the same parts in another order: the means of user and item, plus β times the mean "
            "of the ratings, weighted by the similarity of the items to i and divided by the sum of the weights; item "
            "i itself is left out."
        ),
        models=("content_mean",),
        literal={"content_mean": {"form": "literal"}},
        pages=("inside",),
        lessons=("document_formula",),
        code=("models.content_mean:mean_formula", "models.content_mean:ContentMean.literal_terms"),
    ),
    Passage(
        "symbols",
        "1.2",
        "其中β是一个超参数",
        later("α and β are settings of the model on *Train*, with these symbols."),
        reading=later(
            "‘The larger α, the clearer the preference’ does not hold in the literal formula, where a large α only "
            "leaves the order of item means, the same for every user. In the form *content*, α is the exponent of the "
            "similarities: larger values concentrate on the most similar items."
        ),
        departure=later(
            "J is ‘the items that u rated’ in the text. In the form *content* unrated items also count, as zeros "
            "relative to the mean of the row, unless the setting *Unrated items* is *left out*: which items were rated "
            "says more than how."
        ),
        models=("content_mean",),
        literal={"content_mean": {"form": "content", "unrated": "left_out"}},
        lessons=("document_formula",),
        code=("models.content_mean:ContentMeanConfig",),
    ),
    Passage(
        "flaw",
        "1.2",
        "基于以上公式，我们就可以快速推荐",
        later(
            "The flaw that the text admits can be derived: the sum does not depend on i. For one user the order is "
            "that of $(c_u + \\nu_i) / (d_u + |R(i)|)$, with constants $c_u$ and $d_u$ of the user: it prefers items "
            "that few users rated. Lesson 4 shows it with five films."
        ),
        departure=later(
            "‘The accuracy is also rather high’ is not taken over: train both forms on your data and compare them."
        ),
        models=("content_mean",),
        literal={"content_mean": {"form": "literal"}},
        pages=("compare",),
        lessons=("document_formula",),
        code=("models.content_mean:ContentMean.literal_terms",),
    ),
)
FACTORS = (
    Passage(
        "lfm",
        "1.3",
        "1.3 改进算法",
        later(
            "Topic LFM follows this section. MF with biases is the form that most courses teach: "
            "$\\hat r_{ui} = \\mu + b_u + b_i + p_u^\\top q_i$ by stochastic gradient descent."
        ),
        departure=later(
            "Both are offered, since the text has no factors of users: it describes items by topics and says nothing "
            "about how a user enters."
        ),
        models=("lfm", "biased_mf"),
        pages=("train", "inside"),
        lessons=("gradient",),
        code=("models.lfm:Lfm", "models.biased_mf:BiasedMF"),
    ),
    Passage(
        "topics",
        "1.3",
        "具体的操作步骤如下：",
        later("The topics are vectors $\\theta_t$, T topics with D factors each, drawn at random and then trained."),
        reading=later(
            "The index of $\\theta_i$ is read as the number of a topic, not of an item: steps 3 and 4 sum over the "
            "topics of an item."
        ),
        models=("lfm",),
        pages=("inside",),
        code=("models.lfm:LfmConfig",),
    ),
    Passage(
        "expected",
        "1.3",
        "2. 根据物品的属性",
        later("$\\lambda_i$ is the score of item i that ridge regression expects from its attributes."),
        reading=later(
            "The text defines $\\lambda_i$ as a value of ‘item i for item j’, but gives it a single index. It is read "
            "as the expected score of item i, the same for every user; an item without ratings is scored by it."
        ),
        models=("lfm",),
        code=("models.lfm:Lfm.attributes", "models.lfm:LfmConfig"),
    ),
    Passage(
        "affinity",
        "1.3",
        "3. 对隐含主题的每个元素θi",
        later(
            "The affinities of item i are $\\varphi_i = \\mathrm{softmax}(W x_i + f_i)$, from its attributes $x_i$ and "
            "a free part $f_i$."
        ),
        reading=later(
            "How an affinity is computed is not stated. It is read as a share: $\\varphi_{it} \\ge 0$ and "
            "$\\sum_t \\varphi_{it} = 1$, so that an item is a mixture of topics."
        ),
        models=("lfm",),
        pages=("inside",),
        code=("models.lfm_descent:affinities",),
    ),
    Passage(
        "mixture",
        "1.3",
        "4. 定义物品i的隐含因子表示",
        later("$p_i = \\sum_t \\varphi_{it} \\theta_t$, with t in place of the text's j, which is an item in step 5."),
        models=("lfm",),
        pages=("inside",),
        code=("models.lfm:Lfm",),
    ),
    Passage(
        "pairs",
        "1.3",
        "5. 用物品i的隐含因子表示",
        later(
            "The product $p_i^\\top p_j$ is the weight that a rating of item j has in the score of item i; "
            "explanations on *Recommend* list these terms."
        ),
        reading=later(
            "A ‘rating of item i for item j’ becomes a score for a user by summation over the rated items: "
            "$\\lambda_i + b_i + |P(u)|^{-1/2} \\sum_{j \\in P(u)} (r_{uj} - \\mu_u) \\, p_i^\\top p_j$."
        ),
        departure=later(
            "The sum leaves out item i itself, which would otherwise explain its own rating, and there is a bias "
            "$b_i$ of the item. Ratings are deviations from the mean of the user, in units of the rating scale."
        ),
        models=("lfm",),
        pages=("recommend",),
        code=("models.lfm:lfm_formula", "models.lfm:Lfm.explain"),
    ),
    Passage(
        "error",
        "1.3",
        "6. 在训练阶段",
        later("The squared error is minimized by stochastic gradient descent; lesson 8 makes one step of it."),
        departure=later(
            "All parameters are trained, not θ alone, by Adam over batches of users. Observed ratings say nothing "
            "about items that were not rated, so unrated items are sampled as negatives with an imputed rating below "
            "the mean of the user; with none of them the training is that of the text, and it ranks badly."
        ),
        models=("lfm", "biased_mf"),
        literal={"lfm": {"unrated_per_rating": "0"}},
        lessons=("gradient",),
        code=("models.lfm_descent:gradient", "models.biased_mf:sgd_step"),
    ),
    Passage(
        "sorting",
        "1.3",
        "7. 在测试阶段",
        later(
            "Items are sorted by their score. A user is the sum of the rated items and has no parameters, so unknown "
            "users are scored exactly like known ones."
        ),
        models=("lfm",),
        pages=("recommend",),
        code=("models.lfm:Lfm.history_values",),
    ),
    Passage(
        "merits",
        "1.3",
        "LFM算法的优点",
        later("Whether Topic LFM leads on your data, and how sure that is, is the verdict on *Compare*."),
        reading=later(
            "The text says that LFM captures the real interest of users, and in the next sentence that it does not "
            "model it. The second statement is read as: no parameters of users."
        ),
        departure=later(
            "‘No feature engineering’ holds without attributes; by default the attributes of items enter affinities "
            "and expected scores, so that items without ratings can be scored."
        ),
        models=("lfm",),
        literal={"lfm": {"use_attributes": "false"}},
        pages=("compare",),
        code=("models.lfm:LfmConfig",),
    ),
)
