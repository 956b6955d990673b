"""A small library desk: books, readers, loans and fines.

Long on purpose. A passage as long as this file does not fit the context of a
small model, and Headlight says which part of it was read.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Iterable, Iterator

LOAN_DAYS = 28
FINE_PER_DAY = 0.20
LARGEST_FINE = 12.00
MOST_LOANS = 6


class DeskError(Exception):
    """Something the person at the desk has to be told."""


@dataclass(frozen=True)
class Book:
    number: str
    title: str
    author: str
    year: int

    def matches(self, words: Iterable[str]) -> bool:
        text = f"{self.title} {self.author}".lower()
        return all(word.lower() in text for word in words)

    def __str__(self) -> str:
        return f"{self.title} by {self.author} ({self.year})"


@dataclass
class Reader:
    card: str
    name: str
    owed: float = 0.0

    def pay(self, amount: float) -> float:
        """Takes what is owed and returns the change."""
        if amount < 0:
            raise DeskError("A payment cannot be negative.")
        taken = min(amount, self.owed)
        self.owed = round(self.owed - taken, 2)
        return round(amount - taken, 2)


@dataclass
class Loan:
    book: Book
    reader: Reader
    since: date
    renewals: int = 0

    @property
    def due(self) -> date:
        return self.since + timedelta(days=LOAN_DAYS * (self.renewals + 1))

    def days_late(self, today: date) -> int:
        return max(0, (today - self.due).days)

    def fine(self, today: date) -> float:
        return min(LARGEST_FINE, round(self.days_late(today) * FINE_PER_DAY, 2))


@dataclass
class Library:
    books: dict[str, Book] = field(default_factory=dict)
    readers: dict[str, Reader] = field(default_factory=dict)
    loans: dict[str, Loan] = field(default_factory=dict)
    waiting: dict[str, list[Reader]] = field(default_factory=lambda: defaultdict(list))

    def add_book(self, book: Book) -> None:
        if book.number in self.books:
            raise DeskError(f"There is a book {book.number} already.")
        self.books[book.number] = book

    def add_reader(self, reader: Reader) -> None:
        if reader.card in self.readers:
            raise DeskError(f"There is a card {reader.card} already.")
        self.readers[reader.card] = reader

    def find(self, *words: str) -> Iterator[Book]:
        for book in sorted(self.books.values(), key=lambda book: book.title):
            if book.matches(words):
                yield book

    def loans_of(self, reader: Reader) -> list[Loan]:
        return [loan for loan in self.loans.values() if loan.reader is reader]

    def lend(self, number: str, card: str, today: date) -> Loan:
        book = self._book(number)
        reader = self._reader(card)
        if number in self.loans:
            raise DeskError(f"{book} is lent until {self.loans[number].due}.")
        if reader.owed > 0:
            raise DeskError(f"{reader.name} owes {reader.owed:.2f}.")
        if len(self.loans_of(reader)) >= MOST_LOANS:
            raise DeskError(f"{reader.name} has {MOST_LOANS} books already.")
        queue = self.waiting[number]
        if queue and queue[0] is not reader:
            raise DeskError(f"{book} is kept for {queue[0].name}.")
        if queue:
            queue.pop(0)
        loan = Loan(book, reader, today)
        self.loans[number] = loan
        return loan

    def renew(self, number: str, today: date) -> Loan:
        loan = self._loan(number)
        if self.waiting[number]:
            raise DeskError(f"Somebody is waiting for {loan.book}.")
        if loan.days_late(today) > 0:
            raise DeskError(f"{loan.book} is late and cannot be renewed.")
        loan.renewals += 1
        return loan

    def take_back(self, number: str, today: date) -> float:
        loan = self._loan(number)
        fine = loan.fine(today)
        loan.reader.owed = round(loan.reader.owed + fine, 2)
        del self.loans[number]
        return fine

    def wait_for(self, number: str, card: str) -> int:
        """Puts a reader at the end of the queue and returns the place."""
        book = self._book(number)
        reader = self._reader(card)
        if number not in self.loans:
            raise DeskError(f"{book} is on its shelf.")
        queue = self.waiting[number]
        if reader not in queue:
            queue.append(reader)
        return queue.index(reader) + 1

    def late(self, today: date) -> list[Loan]:
        loans = [loan for loan in self.loans.values() if loan.days_late(today) > 0]
        return sorted(loans, key=lambda loan: loan.due)

    def _book(self, number: str) -> Book:
        try:
            return self.books[number]
        except KeyError:
            raise DeskError(f"There is no book {number}.") from None

    def _reader(self, card: str) -> Reader:
        try:
            return self.readers[card]
        except KeyError:
            raise DeskError(f"There is no card {card}.") from None

    def _loan(self, number: str) -> Loan:
        book = self._book(number)
        try:
            return self.loans[number]
        except KeyError:
            raise DeskError(f"{book} is not lent.") from None


def read_books(path: Path) -> Iterator[Book]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield Book(row["number"], row["title"], row["author"], int(row["year"]))


def read_readers(path: Path) -> Iterator[Reader]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield Reader(row["card"], row["name"], float(row.get("owed") or 0))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Find a book.")
    parser.add_argument("books", type=Path)
    parser.add_argument("words", nargs="+")
    options = parser.parse_args(arguments)
    library = Library()
    for book in read_books(options.books):
        library.add_book(book)
    found = list(library.find(*options.words))
    for book in found:
        print(f"{book.number:>8}  {book}")
    if not found:
        print("Nothing found.", file=sys.stderr)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
