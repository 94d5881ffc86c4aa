"""Passages of section 3: networks on sequences, attention, and sequence to sequence."""

from recsys_core.lessons.source.passage import Passage
from recsys_core.text import later

NETWORKS = (
    Passage(
        "scale",
        "3.1",
        "三、基于深度学习的推荐算法",
        later(
            "Four networks follow this section. Before training, *Train* estimates the time and memory that they need "
            "for your data."
        ),
        models=("mlp", "rnn", "cnn", "recursive"),
        pages=("train", "compare"),
        code=("experiments.resources",),
    ),
    Passage(
        "sequence_vector",
        "3.1",
        "基于深度学习的推荐算法的基本思想",
        later(
            "A network reads the history in order; its state after the last item is the vector of the user, and the "
            "score of an item is the dot product with the embedding of the item."
        ),
        departure=later(
            "NeuMF (MLP) is the exception: it reads the history as a set. Its default score contains a dot product, "
            "and a model with the dot product alone can be trained beside it."
        ),
        models=("rnn", "mlp"),
        literal={"mlp": {"score": "dot"}},
        lessons=("gates",),
        code=("models.sequential:SequenceModel", "models.mlp:Mlp"),
    ),
    Passage(
        "behavior",
        "3.1",
        "1. 收集用户行为数据",
        later("Timestamp, item, user and type of event are columns of an interaction; properties are tables of items."),
        pages=("data",),
        code=("data.ingest.pipeline:ingest",),
    ),
    Passage(
        "preparation",
        "3.1",
        "2. 数据预处理",
        later("The steps of section 2: rules for cleaning, joined files, and feature vectors."),
        departure=later(
            "Feature vectors enter NeuMF and the two-tower model. The sequence models read items alone; the recursive "
            "network also reads the times between them."
        ),
        models=("mlp", "two_tower"),
        pages=("data", "items"),
        code=("models.content:table_inputs",),
    ),
    Passage(
        "histories",
        "3.1",
        "3. 构建用户行为序列",
        later(
            "Histories are ordered from the oldest to the newest interaction; a network reads the most recent ones, up "
            "to its maximum sequence length. Without timestamps the order of the file counts."
        ),
        models=("rnn",),
        lessons=("gates", "time_split"),
        code=("data.dataset:Dataset.histories",),
    ),
    Passage(
        "network",
        "3.1",
        "4. 定义深度学习模型",
        later(
            "Multi-layer: NeuMF (MLP). Recurrent: a plain cell, GRU or LSTM. Recursive: a tree of items, sessions and "
            "the user. A convolutional network (Caser) is added to these."
        ),
        reading=later(
            "A recursive network is read as one composition cell with shared weights over a tree: leaves are items, "
            "inner nodes are sessions, which end after a gap in time, and the root is the user. *Inside* shows the "
            "tree."
        ),
        models=("mlp", "rnn", "cnn", "recursive"),
        literal={"rnn": {"cell": "rnn"}},
        pages=("inside",),
        lessons=("gates",),
        code=("models.nets.rnn", "models.nets.recursive:SessionTree", "models.nets.cnn:ConvolutionalNet"),
    ),
    Passage(
        "fitting",
        "3.1",
        "5. 模型训练",
        later(
            "Training ends when the smoothed validation score has not increased for some epochs, and keeps the weights "
            "of the best epoch. *Tuning* searches settings on validation data, with the same budget for each model. "
            "Fine-tuning continues training on newer data, with the embeddings free or frozen."
        ),
        departure=later(
            "The validation score is the log-rank of the held-out items, 1 − log(rank) / log(items): every user "
            "contributes, also without a hit in the list, so its variance is lower than that of NDCG."
        ),
        models=("rnn",),
        pages=("train",),
        code=("training.network:fit_network", "models.log_rank", "contracts:UpdatesIncrementally"),
    ),
    Passage(
        "ranking",
        "3.1",
        "6. 推荐商品",
        later("All items are scored and sorted; items that the user has seen are left out."),
        models=("rnn",),
        pages=("recommend",),
        code=("models.base:Recommender.recommend",),
    ),
)
ATTENTION = (
    Passage(
        "attention",
        "3.2",
        "3.2 Attention机制",
        later(
            "Interest attention follows the four steps. All of them are in its trace on *Attention*: the points, the "
            "attention before and after each move, the final weights."
        ),
        departure=later(
            "A GRU encodes the history, and attention is added to its state: with both updates off, the model is that "
            "GRU exactly. That attention shows why an item is recommended is not taken for granted: the page compares "
            "it with the influence of each item, its score change when the item is left out."
        ),
        models=("interest_attention", "rnn"),
        literal={"interest_attention": {"local_update": "none", "global_update": "false"}},
        pages=("attention",),
        lessons=("attention",),
        code=("models.nets.interest:InterestNet", "explain.attention_effects:Beside"),
    ),
    Passage(
        "points",
        "3.2",
        "1. 选择当前兴趣点",
        later(
            "The three examples of the text are three generators: popular items, items similar to the most recent "
            "ones, and items of the user's own history. The default takes points from all three."
        ),
        reading=later("An interest point is read as an item: it has an embedding, and neighbors in an item graph."),
        models=("interest_attention",),
        literal={"interest_attention": {"generator": "similar"}},
        pages=("attention",),
        lessons=("attention",),
        code=("models.nets.interest:InterestNet.chosen",),
    ),
    Passage(
        "vectors_of_attention",
        "3.2",
        "2. 计算用户与当前兴趣点之间的注意力",
        later("$s_t$ is the state of the GRU after step t, and $f_v$ is the embedding of the point v."),
        reading=later(
            "The vector of the sequence has one entry per step in the text. It is read as one vector per step, since "
            "$A_{ij}$ is the attention of step i."
        ),
        departure=later(
            "Attention covers the latest steps only, as many as the setting *Attention window* states; the state of "
            "the GRU covers the whole history."
        ),
        models=("interest_attention",),
        lessons=("attention",),
        code=("models.nets.interest:InterestNet.surroundings",),
    ),
    Passage(
        "score_of_attention",
        "3.2",
        "- 通过神经网络计算用户u",
        later("$A_{iv} = \\tanh\\left(\\theta^\\top (W s_i \\odot h_v)\\right)$, one number per step and point."),
        reading=later(
            "$\\theta^T (s_t)^T h_v$ multiplies a vector by a number. It is read as the product of θ with the "
            "entry-wise product of $W s_i$ and $h_v$, so that each entry has a weight of its own."
        ),
        departure=later(
            "tanh is kept, although its values may be negative and do not sum to 1: the weights of the last step are a "
            "softmax over their means."
        ),
        models=("interest_attention",),
        pages=("attention",),
        lessons=("attention",),
        code=("models.nets.interest:InterestNet.attention",),
    ),
    Passage(
        "state_of_point",
        "3.2",
        "h_v表示兴趣点v的隐藏层状态",
        later(
            "*Point encoder*: a two-layer MLP over the embedding of the point, or an LSTM that reads the embedding in "
            "four pieces."
        ),
        reading=later(
            "What sequence an LSTM reads for a single point is not stated; it reads pieces of the embedding."
        ),
        models=("interest_attention",),
        literal={"interest_attention": {"point_state": "lstm"}},
        code=("models.nets.interest:PointState",),
    ),
    Passage(
        "local",
        "3.2",
        "3. 进行注意力的局部更新",
        later(
            "Both methods of the text: a random walk on the item graph, which accepts a move unless the mean attention "
            "to the point decreases, or a policy learned by REINFORCE."
        ),
        reading=later(
            "‘So that the attention is largest’ is read as a search: points move for a few steps to neighbors in the "
            "graph of items that occur near each other in histories."
        ),
        departure=later(
            "The reward of the policy is not the attention but the rank of the next item, relative to the reward of "
            "the unmoved points: attention alone could be raised without any gain for the recommendation."
        ),
        models=("interest_attention",),
        literal={"interest_attention": {"local_update": "reinforce"}},
        pages=("attention",),
        lessons=("attention",),
        code=("models.nets.interest_moves:Walk", "models.nets.interest_moves:Policy"),
    ),
    Passage(
        "global",
        "3.2",
        "4. 进行全局更新",
        later(
            "The final interest is $s_T + U \\sum_i a_i s_i + Y \\sum_v b_v e_v$, and the score of an item is its dot "
            "product with the embedding of the item."
        ),
        reading=later(
            "The weighted sum ‘of the whole sequence of interest points’ is read as two sums, one over the steps of "
            "the history and one over the points. Their weights are a softmax of the mean attention."
        ),
        departure=later("Both sums are added to the state of the GRU instead of replacing it; U and Y start at 0."),
        models=("interest_attention",),
        pages=("attention",),
        lessons=("attention",),
        code=("models.nets.interest:Look",),
    ),
)
