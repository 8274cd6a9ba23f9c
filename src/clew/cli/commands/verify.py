"""`clew verify`: find every damage of what is stored."""

from __future__ import annotations

import click

from clew.cli import output
from clew.cli.open import load_file_settings
from clew.cli.options import format_examples, json_option


@click.command(short_help="Find every damage of what is stored.", epilog=format_examples("clew verify"))
@json_option
def command(*, is_json: bool) -> None:
    """Read the whole database and the files beside it, name what is damaged, and say what to do. Changes nothing; a daemon may run.

    SQLite's own check; every original and posting by its digest, every record, edge and state by its check; references, counts, and
    whether the search index has what the records say.
    """
    from clew.store.sqlite.repair import find_damage, find_faults_beside

    database = load_file_settings("the server checks its own pages; `pg_amcheck --schema=clew` reads all of them").database_path
    if not database.is_file():
        told = output.escape_control(f"{database}: nothing is stored yet\n")
        output.write_answer({"is_well": True, "database": str(database), "damage": [], "beside": []}, told, is_json=is_json)
        return
    damage = find_damage(database)
    beside = [] if damage else find_faults_beside(database)
    value = {"is_well": not damage and not beside, "database": str(database), "damage": damage, "beside": beside}
    lines = [*damage, *beside]
    if damage:
        lines.append(
            "to do: `clew repair` sets the database aside, recovers what is sound, and reads the rest again; or `clew restore` a backup"
        )
    elif beside:
        lines.append("to do: `clew repair` writes these files again from the database, which is well")
    else:
        lines.append(f"{database} is well")
    output.write_answer(value, "".join(f"{output.escape_control(line)}\n" for line in lines), is_json=is_json)
    if damage or beside:
        raise click.exceptions.Exit(1)
