"""Content-based models against manual results, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from recsys_core.contracts import PAD, QueryBatch, Ragged, RatingScale, RunContext
from recsys_core.data import Dataset, dataset_from_frames
from recsys_core.errors import DataError
from recsys_core.models.content import as_bytes, from_bytes
from recsys_core.models.content_features import ContentFeatures
from recsys_core.models.content_mean import ContentMean
from recsys_core.models.registry import make_model

RATINGS = [(0, 0, 5.0), (0, 1, 2.0), (1, 0, 3.0), (1, 2, 4.0), (2, 2, 2.0)]


def three_films(*, items: bool = True, rated: bool = True) -> Dataset:
    """Films 0 'a, b', 1 'b', 2 'a', 3 'b'; the last one has no rating."""
    frame = pd.DataFrame(RATINGS, columns=["user", "item", "rating"]).astype({"user": "int32", "item": "int32"})
    table = pd.DataFrame({"categories": ["a|b", "b", "a", "b"]})
    return dataset_from_frames(
        frame if rated else frame.drop(columns="rating"),
        name="films",
        user_ids=["u", "v", "w"],
        item_ids=["0", "1", "2", "3"],
        items=table if items else None,
        rating_scale=RatingScale(1, 5),
    )


def scores(data: Dataset, user: int = 0, **config: object) -> np.ndarray:
    model = ContentMean(ContentMean.config_type.parse(config))
    model.fit(data, RunContext())
    return model.score(data.queries(np.array([user])))[0]


def test_content_mean_in_the_words_of_the_document() -> None:
    """User 0 rated film 0 with 5 and film 1 with 2: the sum is 7, mu_u = 3.5, |P(u)| = 2.

    Film 2 was rated 4 and 2: |R(2)| = 2, mean 3; the most rated films have 2 raters, so with shrinkage 0.5 its
    confidence is 2 / (2 + 0.5 * 2) = 2/3 and nu = 2. With beta = 2 and alpha = 2:

        R_02 = (2 * 7 + 3.5 + 2) / (2^2 + 2) = 19.5 / 6 = 3.25

    Film 3 has no rating: R_03 = (14 + 3.5 + 0) / (4 + 0) = 4.375, more than any rated film.
    """
    found = scores(three_films(items=False), form="literal", alpha=2, beta=2, shrinkage=0.5)
    assert_allclose(found[[2, 3]], [3.25, 4.375])
    assert np.argmax(found) == 3


def test_the_literal_form_is_word_by_word_unless_a_shrinkage_is_set() -> None:
    """As above with the plain mean nu_2 = 3: (2 * 7 + 3.5 + 3) / (2^2 + 2) = 20.5 / 6."""
    found = scores(three_films(items=False), form="literal", alpha=2, beta=2)
    assert_allclose(found[2], 20.5 / 6)
    assert_allclose(scores(three_films(), unrated="left_out", alpha=2, beta=2)[2], 8.5, rtol=1e-6)


def test_content_mean_with_what_was_not_rated_left_out() -> None:
    """Vectors: film 0 (1, 1) / sqrt 2, film 1 (0, 1), film 2 (1, 0); so s_20 = 1 / sqrt 2 and s_21 = 0.

    User 0: mu_u = 3.5, deviations +1.5 (film 0) and -1.5 (film 1). With alpha = 2, w_20 = 1/2, w_21 = 0, so the
    weighted mean of the deviations is (1/2 * 1.5) / (1/2) = 1.5. nu_2 = 2 as above, beta = 2:

        R_02 = 3.5 + 2 + 2 * 1.5 = 8.5

    Film 3 is (0, 1): w_30 = 1/2, w_31 = 1, the mean is (0.75 - 1.5) / 1.5 = -0.5, and R_03 = 3.5 + 0 - 1 = 2.5.
    """
    found = scores(three_films(), unrated="left_out", alpha=2, beta=2, shrinkage=0.5)
    assert_allclose(found[[2, 3]], [8.5, 2.5], rtol=1e-6)


def test_content_mean_with_what_was_not_rated_as_zero() -> None:
    """The row of user 0 is (5, 2, 0, 0): mu_u = 7/4, so in units of it the ratings are 20/7 and 8/7, what was not
    rated 0. With alpha = 2 film 2 has w = 1/2 to film 0 and 0 to films 1 and 3:

        sum w (R - mu) / sum |w| = (1/2 * (20/7 - 1)) / (1/2) = 13/7,   R_02 = 7/4 + 2 + 2 * 13/7 = 7.464286

    Film 3 has w = 1/2 to film 0, 1 to film 1, 0 to film 2 (and no say about itself):

        (1/2 * (20/7 - 1) + 1 * (8/7 - 1)) / (3/2) = (13/14 + 1/7) / (3/2) = 5/7,   R_03 = 7/4 + 0 + 10/7 = 3.178571
    """
    found = scores(three_films(), unrated="zero", alpha=2, beta=2, shrinkage=0.5)
    assert_allclose(found[[2, 3]], [7.464286, 3.178571], rtol=1e-6)


@pytest.mark.parametrize("config", [{}, {"unrated": "left_out"}, {"form": "literal"}])
def test_content_mean_shares_add_up(config: dict[str, str]) -> None:
    data = three_films()
    model = make_model("content_mean", config)
    model.fit(data, RunContext())
    for user in range(3):
        for item in range(4):
            parts = model.explain(data.queries(np.array([user])), item)  # type: ignore[attr-defined]
            assert parts.weights.sum() + parts.remainder == pytest.approx(parts.score, abs=1e-6)
            assert item not in parts.sources or config == {"form": "literal"}


def test_content_mean_needs_an_item_table_for_content_alone() -> None:
    assert np.isfinite(scores(three_films(items=False), form="literal")).all()
    with pytest.raises(DataError, match="needs item_features, which 'films' does not have"):
        scores(three_films(items=False))


def test_an_item_table_that_tells_nothing_is_refused() -> None:
    data = three_films(items=False)
    bare = dataset_from_frames(
        data.interactions, name="bare", user_ids=["u", "v", "w"], items=pd.DataFrame({"price": [1.0] * 3})
    )
    for key in ("content_mean", "content_features"):
        with pytest.raises(DataError, match="no categories, texts, numbers or dates in which items differ"):
            make_model(key).fit(bare, RunContext())


def test_content_vectors_by_hand() -> None:
    """User 0 likes film 0 (5 is above 3.5) and not film 1: the profile is film 0's vector, (1, 1) / sqrt 2.

    The cosine with film 2, (1, 0), is 1 / sqrt 2, as with films 1 and 3, (0, 1); with film 0 itself it is 1.
    """
    model = ContentFeatures()
    model.fit(three_films(), RunContext())
    found = model.score(three_films().queries(np.array([0])))[0]
    assert_allclose(found, [1.0, np.sqrt(0.5), np.sqrt(0.5), np.sqrt(0.5)])
    parts = model.explain(three_films().queries(np.array([0])), 3)
    assert parts.labels == ("categories: b",)
    assert parts.weights.sum() == pytest.approx(parts.score)


def test_content_vectors_serve_a_new_user_by_attributes_and_an_unknown_one_by_history() -> None:
    """Users from Oslo choose item 0, those from Kyoto item 1; the last user of each city has no interactions."""
    frame = pd.DataFrame({"user": np.array([0, 1, 2, 3], np.int32), "item": np.array([0, 0, 1, 1], np.int32)})
    data = dataset_from_frames(
        frame,
        user_ids=list("abcdef"),
        users=pd.DataFrame({"city": ["Oslo", "Oslo", "Kyoto", "Kyoto", "Oslo", "Kyoto"]}),
        items=pd.DataFrame({"categories": ["x", "y"]}),
    )
    model = ContentFeatures()
    model.fit(data, RunContext())
    assert np.argmax(model.score(data.queries(np.array([4, 5]))), axis=1).tolist() == [0, 1]
    nobody = QueryBatch(np.array([PAD, PAD]), Ragged.from_rows([[1], []]), np.ones(1))
    known, unknown = model.score(nobody)
    assert np.argmax(known) == 1
    assert np.isnan(unknown).all()


def test_names_survive_being_an_array() -> None:
    names = ["genre: 科幻", "line\nbreak", ""]
    assert from_bytes(as_bytes(names)) == ["genre: 科幻", "line break", ""]
