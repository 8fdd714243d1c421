"""The accounts of accounts.meltano.yml for Dagster: loaded side by side, none by two runs at once, and again after a fault."""

import os
from pathlib import Path

import yaml
from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    Backoff,
    DefaultScheduleStatus,
    Definitions,
    Jitter,
    MaterializeResult,
    PipesSubprocessClient,
    RetryPolicy,
    ScheduleDefinition,
    asset,
    define_asset_job,
    multiprocess_executor,
)
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
ACCOUNTS = yaml.safe_load((ROOT / "orchestrate" / "accounts.meltano.yml").read_text(encoding="utf-8"))
SIDE_BY_SIDE = 8
"""They wait for Lexer most of the time, so this may be more than the machine has cores."""

AGAIN = RetryPolicy(
    max_retries=2,
    delay=float(os.environ.get("RETRY_SECONDS", "300")),  # a period of the quota
    backoff=Backoff.EXPONENTIAL,
    jitter=Jitter.PLUS_MINUS,
)


def load_of(account: str, schema: str) -> AssetsDefinition:
    """The tables of an account."""

    @asset(name=schema, pool=schema, retry_policy=AGAIN, description=f"The tables that {account} loads")
    def load(context: AssetExecutionContext, meltano: PipesSubprocessClient) -> MaterializeResult:
        command = ["meltano", "--environment=accounts", "run", account, "target-postgres"]
        # Dagster's pools are not exact on SQLite: two runs that ask in the same moment may both get the only place.
        with FileLock(ROOT / ".meltano" / f"{schema}.lock"):
            return meltano.run(command=command, cwd=str(ROOT), context=context).get_materialize_result()

    return load


every_account = define_asset_job(
    "every_account", executor_def=multiprocess_executor.configured({"max_concurrent": SIDE_BY_SIDE})
)
defs = Definitions(
    assets=[load_of(plugin["name"], plugin["namespace"]) for plugin in ACCOUNTS["plugins"]["extractors"]],
    jobs=[every_account],
    schedules=[
        ScheduleDefinition(job=every_account, cron_schedule="0 5 * * *", default_status=DefaultScheduleStatus.RUNNING)
    ],
    resources={"meltano": PipesSubprocessClient()},
)
