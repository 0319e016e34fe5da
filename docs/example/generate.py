"""Generate messages.csv, the example of docs/your-data.md: invented messages to a shop, Apache-2.0.

    python docs/example/generate.py docs/example/messages.csv

Each message has a category, which a classifier learns, and is about one of two matters of it, which
topics find. The file is laid out as a spreadsheet in Europe writes it: semicolons, cp1252.
"""

import argparse
import csv
import datetime
import random
from pathlib import Path

SEED = 11
COUNT = 360
FIRST = datetime.date(2025, 1, 2)

# For each category two matters, each with sentences to choose from.
MATTERS = {
    "delivery": [
        [
            "My parcel with the {thing} has not arrived, and the tracking page shows no change.",
            "The courier left a note that nobody was at home, although I waited all {day}.",
            "The tracking number of my parcel is unknown to the courier.",
            "The parcel was due on {day}, and the depot cannot say where it is.",
            "The courier brought the parcel to a neighbour whom I do not know.",
            "Please ask the courier when the parcel with the {thing} will arrive.",
        ],
        [
            "The {thing} arrived broken, with a crack along the side.",
            "The box was crushed, and the {thing} inside is scratched and dented.",
            "A part of the {thing} was broken off when I opened the box.",
            "The glass of the {thing} is cracked; I have photos of the damage.",
            "The {thing} is damaged, so I would like a replacement.",
            "The packaging was torn and the {thing} has a dent.",
        ],
    ],
    "payment": [
        [
            "I sent the {thing} back on {day} and still wait for my refund.",
            "When will the refund for the {thing} reach my bank account?",
            "You confirmed the return of the {thing}, but no refund was booked.",
            "The refund is lower than the price that I paid for the {thing}.",
            "My bank sees no refund for the return of {day}.",
            "Please transfer the refund to the account that I paid from.",
        ],
        [
            "The invoice lists the {thing} twice, and my credit card was charged twice.",
            "My credit card was charged {price} € instead of the price on the invoice.",
            "I need an invoice with the value added tax for the {thing}.",
            "The invoice has the wrong address; please correct it.",
            "There is a second charge of {price} € on my credit card statement.",
            "The discount of my voucher is missing on the invoice.",
        ],
    ],
    "account": [
        [
            "I forgot my password, and the link to reset it has expired.",
            "The reset mail for my password never arrives, not even as spam.",
            "The login page refuses my new password since {day}.",
            "After three attempts my login is blocked; please unlock it.",
            "The code for the login comes too late and is refused.",
            "I cannot log in with my old mail address and need a new password.",
        ],
        [
            "The app closes on my phone as soon as I open the basket.",
            "Since the update on {day} the app shows a blank screen.",
            "The app freezes on my phone when I search for a {thing}.",
            "After the update the app no longer opens photos of the {thing}.",
            "The app crashes on my tablet whenever the screen turns.",
            "Please fix the app: the update made the search very slow.",
        ],
    ],
}
THINGS = ("lamp", "kettle", "chair", "clock", "mirror", "vase", "radio", "bowl", "shelf", "teapot")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
OPENINGS = ("", "", "Hello,", "Good morning,", "Dear team,", "To whom it may concern:")
CLOSINGS = ("", "", "Thank you!", "Please let me know.", "Kind regards, Zoë", "Many thanks, André")


def messages() -> list[tuple[str, str, str]]:
    """Return rows of date, category and message, COUNT of them, by rising date."""
    draw = random.Random(SEED)
    kinds = [(category, matter) for category, matters in MATTERS.items() for matter in matters]
    rows, day = [], FIRST
    for number in range(COUNT):
        category, matter = kinds[draw.randrange(len(kinds))] if number else kinds[0]
        day += datetime.timedelta(days=draw.randrange(3))
        words = {"thing": draw.choice(THINGS), "day": draw.choice(DAYS)}
        words["price"] = str(draw.randrange(9, 120))
        body = [sentence.format(**words) for sentence in draw.sample(matter, k=2)]
        parts = [draw.choice(OPENINGS), *body, draw.choice(CLOSINGS)]
        rows.append((day.isoformat(), category, " ".join(part for part in parts if part)))
    return rows


def main() -> None:
    """Write the file."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("out", type=Path)
    out = arguments.parse_args().out
    with out.open("w", encoding="cp1252", newline="") as stream:
        writer = csv.writer(stream, delimiter=";", lineterminator="\r\n")
        writer.writerows([("Date", "Category", "Message"), *messages()])


if __name__ == "__main__":
    main()
