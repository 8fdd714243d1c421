"""Runs the real target-snowflake against fakesnow, a double of Snowflake made of DuckDB, because no test can have a Snowflake.

    python snowflake_double.py FOLDER --config target.json < messages

`python` is that of the environment in which target-snowflake and fakesnow are installed. FOLDER keeps what an account would:

- `TEST.db`: the database, a DuckDB file;
- `stage`: the files in the user's stage;
- `journal.jsonl`: each statement as the target sent it, and as sqlglot's dialect of Snowflake reads it. One that it can't read is an error.

fakesnow runs the statements as they are, but for what it lacks. These are replaced, and so the double proves nothing of them:

1. A session starts in the schema PUBLIC, as it does in Snowflake. fakesnow sets none.
2. Statements run one after another. The target sends those of several streams at once.
3. PUT copies its file into the folder of the stage: fakesnow has no user stage. Nothing is encrypted, uploaded or split.
4. REMOVE deletes the folder that it names there: fakesnow does not know the statement.
5. DROP FILE FORMAT does nothing: fakesnow does not know the statement. So the file format, once created, has no effect and no end.
6. PRIMARY KEY is left out of CREATE TABLE: DuckDB would enforce it, and Snowflake does not.
7. In MERGE, the stage becomes a table: one row for each line of the files, `content` for `$1`, and `line`, its number, for `SEQ8()`. Around it
   stands one SELECT more, because DuckDB's QUALIFY does not see an alias of its own SELECT here. The rest of the statement is the target's: paths,
   casts, deduplication, keys and columns. It is carried out by fakesnow's translation of MERGE.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from functools import partialmethod
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import fakesnow
import sqlglot
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from sqlglot import exp
from target_snowflake.target import TargetSnowflake

DONE = "select 1"
PUT = re.compile(r"put '(?P<url>[^']+)' '@~/(?P<path>[^']+)'")
REMOVE = re.compile(r"remove '@~/(?P<path>[^']+)/'")
DROP_FILE_FORMAT = re.compile(r"drop file format if exists \S+")
PRIMARY_KEY = re.compile(r",\s*PRIMARY KEY \([^)]+\)")
STAGED = re.compile(r"from '@~/(?P<path>[^']+)'\(file_format => [^)]+\)")


def read(sql: str) -> dict[str, Any]:
    """What a statement says, in the terms of the tests."""
    statement = sqlglot.parse_one(sql, read="snowflake")
    found: dict[str, Any] = {"sql": sql, "kind": statement.key}
    if table := statement.find(exp.Table):
        found["table"] = table.name
    if isinstance(statement, exp.Create) and statement.kind == "TABLE":
        columns = statement.find_all(exp.ColumnDef)
        found["columns"] = {column.name: column.kind.sql("snowflake") for column in columns}
        found["quoted"] = [each.name for each in statement.find_all(exp.Identifier) if each.args["quoted"]]
        found["key"] = [column.name for column in statement.find(exp.PrimaryKey).expressions]
    elif isinstance(statement, exp.Merge):
        source = statement.args["using"].this
        found["paths"] = {column.alias: column.find(exp.JSONPathKey).name for column in source.selects}
        found["casts"] = {column.alias: column.this.to.sql("snowflake") for column in source.selects}
        found["one_row_of"] = [column.name for column in source.find(exp.Window).args["partition_by"]]
        found["on"] = [pair.sql("snowflake") for pair in statement.args["on"].find_all(exp.EQ, bfs=False)]
        found["updated"] = [pair.sql("snowflake") for pair in statement.find(exp.Update).expressions]
        inserted = statement.find(exp.Insert)
        columns, values = inserted.this.expressions, inserted.expression.expressions
        found["inserted"] = {column.name: value.sql("snowflake") for column, value in zip(columns, values, strict=True)}
    return found


class Shim:
    """Stands before fakesnow's cursor."""

    def __init__(self, folder: Path) -> None:
        self._stage = folder / "stage"
        self._journal = folder / "journal.jsonl"
        self._execute = FakeSnowflakeCursor.execute
        self._one_at_a_time = RLock()

    def execute(self, cursor: FakeSnowflakeCursor, command: str, params: Any = None, *more: Any, **named: Any) -> Any:
        """Note the statement, replace what the double lacks, and let fakesnow run the rest."""
        sql, params = cursor._rewrite_with_params(command, params)  # noqa: SLF001 how the connector puts values in
        with self._one_at_a_time:
            with self._journal.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(read(sql)) + "\n")
            return self._execute(cursor, self._replace(cursor, sql), params, *more, **named)

    def _replace(self, cursor: FakeSnowflakeCursor, sql: str) -> str:
        if put := PUT.fullmatch(sql):
            folder = self._stage / put["path"]
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(url2pathname(urlsplit(put["url"]).path), folder)
            return DONE
        if remove := REMOVE.fullmatch(sql):
            shutil.rmtree(self._stage / remove["path"])
            return DONE
        if DROP_FILE_FORMAT.fullmatch(sql):
            return DONE
        if staged := STAGED.search(sql):
            cursor._duck_conn.execute(  # noqa: SLF001 a temporary table belongs to the session
                "create or replace temporary table staged as "
                "select json as content, row_number() over () as line from read_json_objects(?)",
                [str(self._stage / staged["path"] / "*")],
            )
            sql = STAGED.sub("from temp.main.staged)", sql).replace(
                "using (select ", "using (select * from (select line, "
            )
            return sql.replace("$1:", "content:").replace("SEQ8()", "line")
        return PRIMARY_KEY.sub("", sql)


def main() -> None:
    """Run the target's own command line, with what follows the folder."""
    folder = Path(sys.argv.pop(1))
    shim = Shim(folder)

    def execute(cursor: FakeSnowflakeCursor, *given: Any, **named: Any) -> Any:
        return shim.execute(cursor, *given, **named)

    FakeSnowflakeCursor.execute = execute
    FakeSnow.connect = partialmethod(FakeSnow.connect, schema="PUBLIC")
    with fakesnow.patch(db_path=folder):
        TargetSnowflake.cli()


if __name__ == "__main__":
    main()
