"""The pages of the app, in the order of the navigation."""

from dataclasses import dataclass
from pathlib import Path

from pages.ui.text import later

PAGES_FOLDER = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class PageInfo:
    """One entry of the navigation: file name, title, and an icon bundled with Streamlit."""

    key: str
    title: str
    icon: str

    @property
    def path(self) -> Path:
        """Path of the script."""
        return PAGES_FOLDER / f"{self.key}.py"


PAGES = (
    PageInfo("home", later("Home"), ":material/home:"),
    PageInfo("data", later("Data"), ":material/database:"),
    PageInfo("explore", later("Explore"), ":material/insights:"),
    PageInfo("users", later("Users"), ":material/group:"),
    PageInfo("items", later("Items"), ":material/category:"),
    PageInfo("train", later("Train"), ":material/model_training:"),
    PageInfo("compare", later("Compare"), ":material/leaderboard:"),
    PageInfo("experiments", later("Experiments"), ":material/science:"),
    PageInfo("strategy", later("Strategy"), ":material/tune:"),
    PageInfo("recommend", later("Recommend"), ":material/recommend:"),
    PageInfo("inside", later("Inside"), ":material/manage_search:"),
    PageInfo("attention", later("Attention"), ":material/visibility:"),
    PageInfo("learn", later("Learn"), ":material/school:"),
)


def has_page(key: str) -> bool:
    """Return whether the page exists."""
    return any(page.key == key and page.path.is_file() for page in PAGES)
