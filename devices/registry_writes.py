"""What a write does to the registry's tables, inside a transaction that is alone among writers.

Checks the whole tree and every id before the first row changes. Raises `FieldError` whose path begins with the
index of the record at fault (`[3].site_id`), `ConflictError` and `NotFoundError`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select, update

from devices.device_rows import device_id, device_row
from devices.model import Site, SiteLevel
from devices.registry import Device
from devices.secrets import SecretBox
from devices.site_tree import check_site, root_first
from devices.tables import devices, sites
from devices.validation import FieldError, shown
from runtime.errors import ConflictError
from runtime.language import say

NAMED_IN_CONFLICT = 10
"""How many of a site's children and devices an error lists before it only counts them."""

ID_CHUNK = 500
"""Ids in one SELECT: a SQLite build may bound a statement's parameters to 999."""


def all_sites(connection: Connection) -> dict[str, Site]:
    """Every site by id, in the order of ids."""
    rows = connection.execute(select(sites).order_by(sites.c.site_id))
    return {
        row.site_id: Site(site_id=row.site_id, name=row.name, level=SiteLevel(row.level), parent_id=row.parent_id)
        for row in rows
    }


def put_records(connection: Connection, records: Sequence[Site | Device], box: SecretBox, now_ns: int) -> None:
    """Insert or replace all of them."""
    _refuse_twins(records)
    tree = all_sites(connection)
    stored_sites = set(tree)
    changed = {index: item for index, item in enumerate(records) if isinstance(item, Site)}
    tree.update({site.site_id: site for site in changed.values()})
    for index, site in changed.items():
        try:
            check_site(tree, site)
        except FieldError as error:
            raise error.under(f"[{index}]") from None
    ordered = root_first(tree, changed.values())
    _upsert(connection, sites, "site_id", map(_site_row, ordered), stored_sites, now_ns)
    rows = _device_rows(records, tree, box)
    stored_devices = _refuse_other_kinds(connection, rows)
    _upsert(connection, devices, "device_id", rows, stored_devices, now_ns)


def _refuse_twins(records: Sequence[Site | Device]) -> None:
    """Two sites, or two devices of any kind, with one id in one write."""
    seen: set[tuple[bool, str]] = set()
    for record in records:
        key = (True, record.site_id) if isinstance(record, Site) else (False, device_id(record))
        if key in seen:
            raise ConflictError(say(zh=f"编号 {key[1]} 出现了两次", en=f"the id {key[1]} is given twice"))
        seen.add(key)


def _site_row(site: Site) -> dict[str, Any]:
    return {"site_id": site.site_id, "name": site.name, "level": site.level.value, "parent_id": site.parent_id}


def _device_rows(records: Sequence[Site | Device], tree: Mapping[str, Site], box: SecretBox) -> list[dict[str, Any]]:
    rows = []
    for index, record in enumerate(records):
        if isinstance(record, Site):
            continue
        if record.site_id not in tree:
            reason = say(zh=f"没有站点 {shown(record.site_id)}", en=f"there is no site {shown(record.site_id)}")
            raise FieldError(f"[{index}].site_id", reason)
        rows.append(device_row(record, box))
    return rows


def _refuse_other_kinds(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """The ids that are stored already; ConflictError when one of them belongs to another kind of device."""
    kinds = {row["device_id"]: row["kind"] for row in rows}
    ids = list(kinds)
    stored: set[str] = set()
    for start in range(0, len(ids), ID_CHUNK):
        query = select(devices.c.device_id, devices.c.kind).where(
            devices.c.device_id.in_(ids[start : start + ID_CHUNK])
        )
        for found in connection.execute(query):
            if found.kind != kinds[found.device_id]:
                raise ConflictError(
                    say(
                        zh=f"编号 {found.device_id} 已被一个 {found.kind} 使用；设备编号在所有种类中不得重复",
                        en=f"the id {found.device_id} belongs to a {found.kind}; no two devices share an id",
                    )
                )
            stored.add(found.device_id)
    return stored


def _upsert(
    connection: Connection,
    table: Table,
    key: str,
    rows: Iterable[dict[str, Any]],
    stored: set[str],
    now_ns: int,
) -> None:
    """INSERT what is not stored, then UPDATE what is, each as one batch. New rows are inserted in the order given."""
    new: list[dict[str, Any]] = []
    old: list[dict[str, Any]] = []
    for row in rows:
        (old if row[key] in stored else new).append({**row, "updated_ns": now_ns})
    if new:
        connection.execute(insert(table), [{**row, "version": 1, "created_ns": now_ns} for row in new])
    if old:
        columns: dict[str, Any] = {
            name: bindparam(f"new_{name}", type_=table.c[name].type) for name in old[0] if name != key
        }
        statement = update(table).where(table.c[key] == bindparam("wanted"))
        connection.execute(
            statement.values({**columns, "version": table.c.version + 1}),
            [{"wanted": row[key], **{f"new_{name}": row[name] for name in columns}} for row in old],
        )


def refuse_if_used(connection: Connection, site_id: str) -> None:
    """ConflictError that names the children and devices of a site, if it has any."""
    below = connection.scalars(select(sites.c.site_id).where(sites.c.parent_id == site_id).order_by(sites.c.site_id))
    at = connection.scalars(
        select(devices.c.device_id).where(devices.c.site_id == site_id).order_by(devices.c.device_id)
    )
    users = [*below, *at]
    if users:
        named = ", ".join(users[:NAMED_IN_CONFLICT])
        more = len(users) - NAMED_IN_CONFLICT
        raise ConflictError(
            say(
                zh=f"站点 {site_id} 下还有 {named}{f' 等共 {len(users)} 项' if more > 0 else ''}；请先移走或删除它们",
                en=f"site {site_id} still has {named}{f' and {more} more' if more > 0 else ''}; "
                "move or remove them first",
            )
        )
