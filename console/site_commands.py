"""`sharpeyes site add|list|show|remove`: the grid tree. Each command opens the registry, does one thing, closes it."""

from typing import Annotated

import typer

from console.record_output import note, print_json, print_record, print_records, shown_document
from console.registry_context import command_registry
from console.registry_options import AsJson, Id, Name, Replace, refuse_if_registered
from devices.model import Site, SiteLevel
from runtime.language import say

app = typer.Typer(
    no_args_is_help=True,
    help=say(zh="站点：县、乡镇、村、网格组成的树", en="Sites: the tree of county, townships, villages and grids"),
)

_COLUMNS = (
    ("site_id", say(zh="编号", en="Id")),
    ("name", say(zh="名称", en="Name")),
    ("level", say(zh="级别", en="Level")),
    ("parent_id", say(zh="上级", en="Parent")),
)


@app.command(
    help=say(
        zh="登记一个站点。\n\n例：sharpeyes site add village-3 --name 三河村 --level village --parent town-1",
        en="Register a site.\n\n"
        "Example: sharpeyes site add village-3 --name 'Three Rivers' --level village --parent town-1",
    )
)
def add(
    context: typer.Context,
    site_id: Id,
    level: Annotated[SiteLevel, typer.Option(help=say(zh="级别", en="Level"))],
    name: Name = None,
    parent: Annotated[str | None, typer.Option(help=say(zh="上级站点的编号", en="Id of the site above"))] = None,
    replace: Replace = False,
) -> None:
    site = Site(site_id=site_id, name=name or site_id, level=level, parent_id=parent)
    with command_registry(context, may_begin=True) as registry:
        refuse_if_registered(registry.site, site_id, replace=replace)
        registry.put_site(site)
    note(say(zh=f"已登记站点 {site_id}", en=f"Registered site {site_id}"))


@app.command("list", help=say(zh="列出全部站点", en="List all sites"))
def list_sites(context: typer.Context, as_json: AsJson = False) -> None:
    with command_registry(context) as registry:
        sites = registry.sites()
    print_records(sites, _COLUMNS, as_json=as_json)


@app.command(help=say(zh="显示一个站点和它的上级", en="Show one site and those above it"))
def show(context: typer.Context, site_id: Id, as_json: AsJson = False) -> None:
    with command_registry(context) as registry:
        path = registry.site_path(site_id)
    if as_json:
        print_json({**shown_document(path[-1]), "path": [site.site_id for site in path]})
        return
    print_record(path[-1])
    note(" > ".join(site.name for site in path))


@app.command(
    help=say(zh="删除一个没有下级和设备的站点", en="Remove a site that has neither sites nor devices below it")
)
def remove(context: typer.Context, site_id: Id) -> None:
    with command_registry(context) as registry:
        registry.remove_site(site_id)
    note(say(zh=f"已删除站点 {site_id}", en=f"Removed site {site_id}"))
