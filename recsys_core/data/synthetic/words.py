"""Vocabulary of the films and users of synthetic data sets. All titles, places and names are invented."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Genre:
    """A film category with the words for its titles and plots.

    Args:
        adjectives: Adjectives in titles.
        nouns: Nouns in titles.
        heroes: Protagonists, with article.
        plots: Plots with placeholders `{place}` and `{name}`.
    """

    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    heroes: tuple[str, ...]
    plots: tuple[str, ...]


GENRES: dict[str, Genre] = {
    "Adventure": Genre(
        ("Farthest", "Uncharted", "Restless", "Windward", "Northern", "Hidden"),
        ("Expedition", "Caravan", "Compass", "Summit", "Passage", "Treasure", "Voyage", "Trail"),
        ("a disgraced mapmaker", "a river pilot", "a retired climber", "a rival explorer"),
        (
            "crosses the mountains of {place} with a map that is wrong in one place",
            "sets sail for {place} to find the ship that {name} lost",
            "follows an old trail through {place} while a storm closes every way back",
        ),
    ),
    "Animation": Genre(
        ("Little", "Paper", "Flying", "Whistling", "Clockwork", "Sleepless"),
        ("Fox", "Kite", "Lantern", "Hedgehog", "Snowman", "Balloon", "Teapot", "Robot"),
        ("a shy hedgehog", "a paper boat", "a robot who collects sounds", "a very small dragon"),
        (
            "leaves the toy shop of {place} to see the sea",
            "must bring the moon back to {place} before breakfast",
            "teaches the animals of {place} to sing with the help of young {name}",
        ),
    ),
    "Comedy": Genre(
        ("Perfect", "Accidental", "Unwanted", "Second-Best", "Borrowed", "Loud"),
        ("Wedding", "Neighbour", "Landlord", "Honeymoon", "Choir", "Inspector", "Picnic", "Holiday"),
        ("an unlucky wedding planner", "the elder brother-in-law", "a very polite burglar", "a village choir"),
        (
            "has one weekend in {place} to hide a goat from the guests",
            "is mistaken for {name}, the new mayor of {place}, and rather likes it",
            "turns the quietest hotel in {place} into a circus by accident",
        ),
    ),
    "Crime": Genre(
        ("Cold", "Silent", "Crooked", "Unsolved", "Midnight", "Guilty"),
        ("Alibi", "Witness", "Ledger", "Informer", "Verdict", "Heist", "Detective", "Cipher"),
        ("a tired detective", "a bank clerk with two names", "a young prosecutor", "a safe-cracker on parole"),
        (
            "reopens the case that ruined {name} and half the police of {place}",
            "plans one last robbery in {place}, and somebody talks",
            "finds a witness in {place} who officially never existed",
        ),
    ),
    "Documentary": Genre(
        ("Living", "Vanishing", "Ordinary", "Deep", "Forgotten", "Measured"),
        ("Harvest", "Glacier", "Archive", "Orchestra", "Reef", "Factory", "Workshop", "Migration"),
        ("a film crew", "a family of beekeepers", "a marine biologist", "the last watchmaker of the valley"),
        (
            "spends four seasons in {place} and records what is disappearing",
            "explains, with letters and archive pictures, how {place} was built",
            "follows {name} through a year of work, weather and doubt near {place}",
        ),
    ),
    "Drama": Genre(
        ("Broken", "Distant", "Quiet", "Unfinished", "Autumn", "Patient"),
        ("Letters", "Inheritance", "Orchard", "Daughter", "Silence", "Winter", "Homecoming", "Promise"),
        ("a widowed teacher", "the elder of two sisters", "a doctor near retirement", "a father with a grown son"),
        (
            "returns to {place} to sell the house where {name} grew up",
            "has to choose between a promise and the truth after a funeral in {place}",
            "spends a long winter in {place} learning to forgive",
        ),
    ),
    "Fantasy": Genre(
        ("Enchanted", "Hollow", "Silver", "Thorned", "Ancient", "Moonlit"),
        ("Crown", "Sorcerer", "Grove", "Dragon", "Prophecy", "Amulet", "Tower", "Oracle"),
        ("a runaway apprentice", "the youngest of seven heirs", "a witch without a spell", "a knight of no house"),
        (
            "carries a stolen crown through the haunted woods of {place}",
            "wakes the dragon under {place} and owes it a story",
            "learns that the prophecy about {name} was copied wrongly",
        ),
    ),
    "Horror": Genre(
        ("Whispering", "Buried", "Pale", "Locked", "Hungry", "Nameless"),
        ("Cellar", "Asylum", "Shadow", "Lullaby", "Mirror", "Grave", "Attic", "Visitor"),
        ("a night nurse", "a young family", "a sound engineer", "the youngest of four students"),
        (
            "moves into the locked house above {place} and hears the cellar breathe",
            "finds a recording in which {name} screams before anything happens",
            "stays one night too long in the abandoned hospital of {place}",
        ),
    ),
    "Romance": Genre(
        ("Tender", "Summer", "Secret", "Impossible", "Faithful", "Late"),
        ("Kiss", "Garden", "Waltz", "Postcard", "Stranger", "Rendezvous", "Violin", "Harbour"),
        ("a pastry cook", "a violinist", "a faithful pen friend", "a lighthouse keeper"),
        (
            "falls in love in {place} with the one person who leaves on Sunday",
            "answers a love letter that was meant for {name}",
            "dances through one summer in {place} and counts the days",
        ),
    ),
    "Science fiction": Genre(
        ("Orbital", "Quantum", "Last", "Synthetic", "Frozen", "Parallel"),
        ("Colony", "Signal", "Android", "Station", "Eclipse", "Algorithm", "Horizon", "Antenna"),
        ("a salvage engineer", "the sole navigator awake", "an android with a birthday", "a linguist"),
        (
            "receives a signal from {place}, sent forty years in the future",
            "wakes on the orbital station {place} and finds the colony empty",
            "must teach a machine called {name} to lie before the eclipse",
        ),
    ),
}

PLACES = (
    "Velmora", "Port Ansel", "Karsk", "Low Hadden", "Sanct Illo", "Brunnmar", "Tessaly Bay", "Ostrel", "Mirren Falls",
    "Quarrow", "Dunvale", "Isola Nera", "Hollin", "Zarya Point", "Eastmere", "Cobalt Hill", "Lund Harrow", "Pellica",
    "Norrgate", "Amberfield",
)  # fmt: skip
NAMES = (
    "Amara", "Benedikt", "Celia", "Dorian", "Elsbeth", "Farid", "Greta", "Hanno", "Ines", "Jarek", "Kaito", "Leonie",
    "Mirela", "Nuru", "Odile", "Pavel", "Quentin", "Rosa", "Sunniva", "Tomas", "Uma", "Viktor", "Wanda", "Yusuf",
)  # fmt: skip
TURNS = (
    "What begins as a favour becomes the hardest choice of a lifetime.",
    "Nobody who comes along will be the same at the end.",
    "Only one person knows the truth, and nobody asks.",
    "Time is short, the money is gone, and the weather turns.",
    "In the end it is an old friend who decides everything.",
    "Help comes from where it was least expected.",
    "The last ten minutes change all that went before.",
    "A small mistake grows until it cannot be hidden.",
)
CITIES = (
    "Brunnmar", "Eastmere", "Port Ansel", "Dunvale", "Karsk", "Amberfield", "Low Hadden", "Norrgate",
)  # fmt: skip
EDUCATIONS = ("primary", "secondary", "vocational", "bachelor", "master", "doctorate")
OCCUPATIONS = (
    "accountant", "baker", "carpenter", "designer", "driver", "electrician", "engineer", "farmer", "journalist",
    "lawyer", "musician", "nurse", "physician", "programmer", "researcher", "sales clerk", "teacher", "translator",
)  # fmt: skip
HOBBIES: dict[str, tuple[str, ...]] = {
    "astronomy": ("Science fiction", "Documentary"),
    "baking": ("Comedy", "Romance"),
    "board games": ("Fantasy", "Science fiction"),
    "chess": ("Crime", "Science fiction"),
    "cosplay": ("Fantasy", "Animation"),
    "dancing": ("Romance", "Comedy"),
    "drawing": ("Animation", "Fantasy"),
    "gardening": ("Documentary", "Romance"),
    "ghost stories": ("Horror", "Fantasy"),
    "hiking": ("Adventure", "Documentary"),
    "history": ("Documentary", "Drama"),
    "metal music": ("Horror", "Crime"),
    "poetry": ("Drama", "Romance"),
    "sailing": ("Adventure", "Documentary"),
    "stand-up": ("Comedy", "Animation"),
    "theatre": ("Drama", "Comedy"),
    "true crime": ("Crime", "Horror"),
    "volunteering": ("Drama", "Documentary"),
}
"""Hobby -> categories whose fans have it more often."""
