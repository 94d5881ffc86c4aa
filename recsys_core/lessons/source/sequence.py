"""Passages of section 3.3: sequence to sequence."""

from recsys_core.lessons.source.passage import Passage
from recsys_core.text import later

SEQUENCE = (
    Passage(
        "seq2seq",
        "3.3",
        "3.3 序列编码器-神经网络算法",
        later("Seq2seq with attention: an encoder reads the history, a decoder generates the next items one by one."),
        models=("seq2seq",),
        pages=("attention",),
        lessons=("decoding",),
        code=("models.seq2seq:Seq2Seq",),
    ),
    Passage(
        "seq_collect",
        "3.3",
        "The overall pipeline of Seq2seq",
        later("As in section 3.1: the history of each user, oldest first; properties of items do not enter."),
        departure=later(
            "Types of events choose what is learned from and weight it in the loss; the encoding of a history does not "
            "depend on them."
        ),
        models=("seq2seq",),
        pages=("data",),
        code=("data.dataset:Dataset.histories",),
    ),
    Passage(
        "seq_architecture",
        "3.3",
        "Step 2: Define the architecture",
        later(
            "The encoder is an LSTM, a GRU, an MLP per position, or causal convolutions; the decoder an LSTM or GRU."
        ),
        departure=later("MLP and CNN are no decoders here: a decoder needs the state H(t) that steps 2 and 3 update."),
        models=("seq2seq",),
        literal={"seq2seq": {"encoder": "lstm", "decoder": "lstm"}},
        pages=("train",),
        code=("models.nets.seq2seq:RecurrentEncoder", "models.nets.seq2seq:LayeredEncoder"),
    ),
    Passage(
        "seq_training",
        "3.3",
        "Step 3: Train the Seq2seq model",
        later(
            "Every prefix of a history is a training example, with the true items as inputs of the decoder (teacher "
            "forcing). *Scheduled sampling* replaces some of them by predicted items."
        ),
        reading=later("‘Until the model converges’ is read as early stopping on validation data."),
        departure=later("The first step is trained on every prefix, further steps on a random share of them."),
        models=("seq2seq",),
        pages=("train",),
        code=("models.nets.seq2seq:unrolled", "training.network:fit_network"),
    ),
    Passage(
        "seq_generate",
        "3.3",
        "Step 4: Generate recommendations",
        later("*Recommend* and *Attention* take any history, also that of a user who was not in the training data."),
        models=("seq2seq",),
        pages=("recommend", "attention"),
        code=("models.seq2seq:Seq2Seq.recommend",),
    ),
    Passage(
        "seq_encode",
        "3.3",
        "1. Encode the input sequence",
        later("E(s) is one vector $E_j$ per item of the history; vector j depends on items 1 to j."),
        models=("seq2seq",),
        code=("models.nets.seq2seq:Seq2SeqNet",),
    ),
    Passage(
        "seq_start",
        "3.3",
        "2. Initialize the hidden state",
        later("The setting *Initial decoder state* offers zero, the document's form, and the state of the encoder."),
        departure=later(
            "The default is a projection of the last state of the encoder: it has the better validation score, and "
            "varies less between seeds."
        ),
        models=("seq2seq",),
        literal={"seq2seq": {"start": "zero"}},
        lessons=("decoding",),
        code=("models.seq2seq:Seq2SeqConfig",),
    ),
    Passage(
        "seq_decode",
        "3.3",
        "3. Decode the encoded input",
        later(
            "Greedy decoding takes the best item of each step, beam search keeps several sequences. Items that were "
            "seen or decoded before are masked; the first input is the last item of the history."
        ),
        departure=later(
            "By default the list is the ranking of the first step, which had the best validation score; *greedy* and "
            "*beam* return the decoded sequence."
        ),
        models=("seq2seq",),
        literal={"seq2seq": {"decoding": "greedy"}},
        pages=("attention",),
        lessons=("decoding",),
        code=("models.nets.beam:greedy", "models.nets.beam:beam_search"),
    ),
    Passage(
        "seq_alpha",
        "3.3",
        "- Calculate the attention weights",
        later(
            "$\\alpha(t)$ is a softmax over the items of the history, with bilinear energies "
            "$q \\cdot E_j / \\sqrt D$ or additive ones."
        ),
        departure=later(
            "The text computes α from H(t) and all decoded items. The query here is made of H(t) and the last decoded "
            "item; earlier ones act through H(t)."
        ),
        models=("seq2seq",),
        literal={"seq2seq": {"attention": "additive"}},
        pages=("attention",),
        lessons=("decoding",),
        code=("models.nets.seq2seq:Attention",),
    ),
    Passage(
        "seq_context",
        "3.3",
        "- Calculate the context vector",
        later("$C(t) = \\sum_j \\alpha_j(t) E_j$; its norm is in the trace of each step."),
        models=("seq2seq",),
        pages=("attention",),
        lessons=("decoding",),
        code=("models.nets.seq2seq:Attention",),
    ),
    Passage(
        "seq_output",
        "3.3",
        "- Pass the concatenation",
        later("The decoder gets the previous item and C(t), and returns H(t+1), from which all items are scored."),
        reading=later(
            "The prediction, o(t+1) in the text, follows o(t−1) directly; here it is the item o(t) of step t."
        ),
        departure=later(
            "The text predicts from the state of the decoder alone; here C(t) and the previous item also enter the "
            "output. Input and output embeddings are the same."
        ),
        models=("seq2seq",),
        pages=("attention",),
        code=("models.nets.seq2seq:Seq2SeqNet",),
    ),
    Passage(
        "seq_return",
        "3.3",
        "4. Return the final decoded output",
        later(
            "With *greedy* or *beam*, the decoded sequence is the recommendation, in its order; the score of a place "
            "is the log-probability of the sequence up to it."
        ),
        departure=later(
            "At most 20 items are decoded; a longer list continues with the ranking of the step after them."
        ),
        models=("seq2seq",),
        literal={"seq2seq": {"decoding": "beam"}},
        pages=("recommend",),
        lessons=("decoding",),
        code=("models.seq2seq:MOST_STEPS",),
    ),
)
