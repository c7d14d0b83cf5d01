"""The explorer's page as its template draws it: every link, chip and field is ready made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from markupsafe import Markup

from app.explorer.catalogue import Catalogue, Named
from app.explorer.cells import result_cells
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS, Column, ColumnRef, Kind
from app.explorer.filters import DEFAULT_SIZE, MOST_SORT_KEYS, PAGES, ExplorerQuery, SortKey
from app.explorer.form import ColumnChooser, Form, column_chooser, filter_form
from app.explorer.layout import model_columns, pair_columns, stacked
from app.explorer.page import Page
from app.explorer.query_string import Params, can_be_carried, query_text
from app.explorer.rows import PairRow
from app.explorer.sentence import describe_filter, headline
from app.explorer.urls import explorer_url, pairs_url, summary_url, url_with, viewer_url

MOST_FITTING: Final = 5
"""Columns of models, all groups together, that stand beside the pairs' without scrolling."""
# Heads are narrower than the words of a sentence.
SHORT: Final = {"correct": "Right", "explained": "X-Map", "quality_min": "Quality"}


@dataclass(frozen=True)
class Header:
    """The head of a column: a link that sorts by it."""

    label: str
    help: str
    url: str
    """Sort by this column alone; where it is the only key already, turn or drop it."""
    add_url: str
    """Add the column as a further key, or turn it."""
    aria_sort: str | None
    """``ascending`` or ``descending`` where it is the first key."""
    badge: str
    """An arrow and, among several keys, its number."""
    numeric: bool
    name: str


@dataclass(frozen=True)
class ModelGroup:
    """The columns of one model."""

    model: Named
    columns: tuple[str, ...]
    headers: tuple[Header, ...]


@dataclass(frozen=True)
class Chip:
    """A condition in words, and the query without it."""

    words: str
    url: str


@dataclass(frozen=True)
class PageLink:
    """A link to a numbered page; no URL stands for a gap."""

    number: int
    url: str | None
    current: bool


@dataclass(frozen=True)
class ExplorerContext:
    """Everything that ``explorer/index.html`` reads."""

    page: Page
    title: str
    headline: str
    """How the title begins, before its conditions."""
    stacks: tuple[tuple[str, ...], ...]
    """Pair columns as they stand side by side; those of the two images one above the other."""
    headers: dict[str, Header]
    groups: tuple[ModelGroup, ...]
    chips: tuple[Chip, ...]
    clear_url: str
    pages: tuple[PageLink, ...]
    next_url: str | None
    previous_url: str | None
    csv_url: str
    json_lines_url: str
    json_url: str
    summary_url: str
    count_url: str | None
    """Asks for the exact number, where the count stopped early."""
    leads: tuple[str, ...]
    """Models that the order or a condition names: whose pair a row opens."""
    form: Form
    chooser: ColumnChooser
    back: str
    """The query string that leads back here, for the viewer; empty where that is too long."""
    start_url: str
    site_is_empty: bool

    @property
    def pair_columns(self) -> int:
        """How many columns stand before those of the models, the pictures among them."""
        return 1 + len(self.stacks)

    def lead_model(self, row: PairRow) -> str | None:
        """Return the model that the list is about, where it has seen the pair."""
        return next((name for name in self.leads if row.models.get(name) is not None), None)

    def result_cells(self, row: PairRow, group: ModelGroup) -> Markup:
        """Return the cells of a row under a model."""
        name = group.model.name
        result = row.models[name]
        viewer = viewer_url(row.id, self.back, name) if result and result["explained"] else ""
        return result_cells(result, group.columns, name, viewer)

    @property
    def width_class(self) -> str:
        """How wide the table is, for its style: as the page, or in a scroll box of its own."""
        shown = sum(len(group.columns) for group in self.groups)
        return "pair-table-fits" if shown <= MOST_FITTING else "pair-table-wide"

    @property
    def spelled_url(self) -> str | None:
        """The query with ``_`` for spaces in names, where such a name was asked for in vain."""
        query = self.page.query
        filters = tuple(
            replace(item, text=text, value=text)
            if item.ref.name in ("identity1", "identity2")
            and isinstance(item.value, str)
            and (text := item.value.replace(" ", "_")) != item.value
            else item
            for item in query.filters
        )
        if filters == query.filters:
            return None
        return explorer_url(replace(query.place(), filters=filters))

    @property
    def rows_words(self) -> str:
        """Which rows of how many: "51-100 of 6,000"."""
        page = self.page
        if not page.rows:
            return "No rows here"
        total = f"{page.count.number:,}" if page.count.exact else f"over {page.count.number:,}"
        return f"{page.first + 1:,}–{page.first + len(page.rows):,} of {total}"


def explorer_context(page: Page, catalogue: Catalogue) -> ExplorerContext:
    """Build the context of one page."""
    query = page.query
    names = _pair_columns(page)
    headers = {
        name: _header(query, ColumnRef(PAIR_COLUMNS[name]), _label(PAIR_COLUMNS[name]))
        for name in names
    }
    start = query.place()
    bare = replace(start, size=DEFAULT_SIZE, columns=())
    return ExplorerContext(
        page=page,
        title=page.description,
        headline=headline(query, page.count),
        stacks=stacked(names),
        headers=headers,
        groups=tuple(group for model in query.models if (group := _group(query, model)).columns),
        chips=_chips(query),
        clear_url=explorer_url(
            ExplorerQuery(
                datasets=query.datasets,
                chosen_models=query.chosen_models,
                sort=query.sort,
                columns=query.columns,
                size=query.size,
            )
        ),
        pages=_page_links(page),
        next_url=explorer_url(page.next) if page.next else None,
        previous_url=explorer_url(page.previous) if page.previous else None,
        csv_url=url_with("api.pairs_csv", replace(start, size=DEFAULT_SIZE).params(count=False)),
        json_lines_url=url_with("api.pairs_ndjson", bare.params(count=False)),
        json_url=url_with("api.pairs", replace(query, columns=()).params()),
        summary_url=summary_url(query),
        leads=_leads(query),
        count_url=None if page.count.exact else pairs_url(_counted(query)),
        form=filter_form(query, catalogue),
        chooser=column_chooser(query, names),
        back=_way_back(query),
        start_url=explorer_url(start),
        site_is_empty=not catalogue.datasets,
    )


def _way_back(query: ExplorerQuery) -> str:
    text = query_text(query.params())
    return text if can_be_carried(text) else ""


def _counted(query: ExplorerQuery) -> Params:
    return [*query.params(count=False), ("count", "all")]


def _leads(query: ExplorerQuery) -> tuple[str, ...]:
    named = [key.ref.model for key in query.sort] + [item.ref.model for item in query.filters]
    return tuple(dict.fromkeys(model.name for model in named if model))


def _label(column: Column) -> str:
    words = SHORT.get(column.name, column.words)
    return words[0].upper() + words[1:]


def _pair_columns(page: Page) -> tuple[str, ...]:
    """Return the pair columns of the table; of the usual ones, those that tell rows apart."""
    names = pair_columns(page.query)
    if page.query.columns:
        return names
    scope = page.query.scope
    idle = set()
    if len(page.query.known_datasets if scope is None else scope) < 2:
        idle.add("dataset")
    if all(row.quality_min is None for row in page.rows):
        idle.add("quality_min")
    return tuple(name for name in names if name not in idle)


def _group(query: ExplorerQuery, model: Named) -> ModelGroup:
    names = model_columns(query, model)
    headers = tuple(
        _header(query, ColumnRef(MODEL_COLUMNS[name], model), _label(MODEL_COLUMNS[name]))
        for name in names
    )
    return ModelGroup(model, names, headers)


def _header(query: ExplorerQuery, ref: ColumnRef, label: str) -> Header:
    keys = query.sort or query.order
    place = next((n for n, key in enumerate(keys) if key.ref == ref), None)
    current = keys[place] if place is not None else None
    arrow = ""
    if current is not None:
        arrow = "↓" if current.descending else "↑"
        arrow += str((place or 0) + 1) if len(keys) > 1 else ""
    first = keys[0].ref == ref
    direction = "descending" if keys[0].descending else "ascending"
    return Header(
        label=label,
        help=ref.column.help,
        url=explorer_url(_sorted_alone(query, ref, current)),
        add_url=explorer_url(_sorted_too(query, ref, current)),
        aria_sort=direction if first else None,
        badge=arrow,
        numeric=ref.column.kind in (Kind.INTEGER, Kind.NUMBER),
        name=ref.name,
    )


def _sorted_alone(query: ExplorerQuery, ref: ColumnRef, current: SortKey | None) -> ExplorerQuery:
    """Ascending, then descending, then as before."""
    alone = current is not None and len(query.sort or query.order) == 1
    if not alone or current is None:
        return query.sorted_by(SortKey(ref))
    return query.sorted_by() if current.descending else query.sorted_by(SortKey(ref, True))  # noqa: FBT003


def _sorted_too(query: ExplorerQuery, ref: ColumnRef, current: SortKey | None) -> ExplorerQuery:
    """Turn the key where it stands, or add it as the last; a fourth replaces the third."""
    turned = SortKey(ref, current is not None and not current.descending)
    if current is not None:
        keys = [turned if key.ref == ref else key for key in query.sort or query.order]
    else:
        keys = [*query.sort[: MOST_SORT_KEYS - 1], turned]
    return query.sorted_by(*keys)


def _chips(query: ExplorerQuery) -> tuple[Chip, ...]:
    chips = [
        Chip(describe_filter(query, item), explorer_url(query.without_filter(item)))
        for item in query.filters
    ]
    if query.agree is not None:
        chips.append(
            Chip(
                "models agree" if query.agree else "models disagree",
                explorer_url(query.without_agreement()),
            )
        )
    return tuple(chips)


def _page_links(page: Page) -> tuple[PageLink, ...]:
    """Return links to the pages around this one, to the first and, where it is known, the last."""
    query = page.query
    if page.first % query.size:
        return ()  # a walk by cursor that does not stand on a page's edge
    current = page.first // query.size + 1
    last = min(-(-page.count.number // query.size), PAGES[-1])
    wanted = {1, current - 1, current, current + 1, last} & set(range(1, last + 1))
    if len(wanted) < 2 or current > last:
        return ()
    links: list[PageLink] = []
    for number in sorted(wanted):
        if links and number > links[-1].number + 1:
            links.append(PageLink(0, None, current=False))
        target = query.place(page=number if number > 1 else None)
        links.append(PageLink(number, explorer_url(target), current=number == current))
    return tuple(links)
