"""The grid tree as a whole: who stands under whom, and what makes a change to it impossible.

Pure functions on all sites by id. They raise `FieldError` (a wrong parent or level) and `NotFoundError`.
"""

from collections.abc import Iterable, Mapping

from devices.model import Site, SiteLevel
from devices.validation import FieldError, shown
from runtime.errors import NotFoundError
from runtime.language import say

Sites = Mapping[str, Site]

_RANK = {level: rank for rank, level in enumerate(SiteLevel)}


def path_of(sites: Sites, site_id: str) -> tuple[Site, ...]:
    """The site and all above it, root first. Ends at a loop too, so that damaged data cannot hang a reader."""
    if site_id not in sites:
        raise NotFoundError(say(zh=f"没有站点 {shown(site_id)}", en=f"there is no site {shown(site_id)}"))
    path: list[Site] = []
    seen: set[str] = set()
    above: str | None = site_id
    while above is not None and above in sites and above not in seen:
        seen.add(above)
        path.append(sites[above])
        above = sites[above].parent_id
    return tuple(reversed(path))


def check_site(sites: Sites, site: Site) -> None:
    """Raise FieldError unless `site`, already part of `sites`, has a parent that exists and is not below it.

    A site may stand under one of its own level (a grid inside a grid), never under a lower one.
    """
    if site.parent_id is not None:
        _check_parent(sites, site, site.parent_id)
    for child in sites.values():
        if child.parent_id == site.site_id and _RANK[child.level] < _RANK[site.level]:
            raise FieldError("level", _wrong_order(child, site))


def _check_parent(sites: Sites, site: Site, parent_id: str) -> None:
    parent = sites.get(parent_id)
    if parent is None:
        raise FieldError("parent_id", say(zh=f"没有站点 {shown(parent_id)}", en=f"there is no site {shown(parent_id)}"))
    if any(above.site_id == site.site_id for above in path_of(sites, parent_id)):
        raise FieldError(
            "parent_id",
            say(
                zh=f"站点 {site.site_id} 会成为自己的上级",
                en=f"site {site.site_id} would stand above itself",
            ),
        )
    if _RANK[site.level] < _RANK[parent.level]:
        raise FieldError("level", _wrong_order(site, parent))


def _wrong_order(child: Site, parent: Site) -> str:
    return say(
        zh=f"{child.level} 级的站点 {child.site_id} 不能放在 {parent.level} 级的 {parent.site_id} 之下",
        en=f"{child.site_id} is a {child.level} and cannot stand under {parent.site_id}, which is a {parent.level}",
    )


def root_first(sites: Sites, chosen: Iterable[Site]) -> list[Site]:
    """The chosen sites in an order in which every parent comes before its children."""
    return sorted(chosen, key=lambda site: (len(path_of(sites, site.site_id)), site.site_id))
