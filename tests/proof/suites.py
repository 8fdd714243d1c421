"""Other people's suites: where each stands here, and what of it is left out, for which reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, object]

SDK: Final = "singer-sdk: `get_tap_test_class`"
CHECK_TAP: Final = "singer-tools: `singer-check-tap`"
AIRBYTE: Final = "Airbyte: connector acceptance tests"
TAP_TESTER: Final = "Stitch: tap-tester's base suite"

FILES: Final = {
    "test_sdk_suite.py": SDK,
    "test_singer_check_tap.py": CHECK_TAP,
    "test_airbyte_checks.py": AIRBYTE,
    "test_tap_tester.py": TAP_TESTER,
}
"""The suite that each file has the tests of."""

CHECKS: Final = {
    AIRBYTE: [
        "TestSpec.test_config_match_spec",
        "TestSpec.test_match_expected",
        "TestSpec.test_enum_usage",
        "TestSpec.test_oneof_usage",
        "TestSpec.test_required",
        "TestSpec.test_optional",
        "TestSpec.test_has_secret",
        "TestSpec.test_secret_never_in_the_output",
        "TestSpec.test_secret_is_properly_marked",
        "TestSpec.test_property_type_is_not_array",
        "TestSpec.test_object_not_empty",
        "TestSpec.test_array_type",
        "TestSpec.test_forbidden_complex_types",
        "TestSpec.test_date_pattern",
        "TestSpec.test_date_format",
        "TestSpec.test_duplicate_order",
        "TestSpec.test_nested_group",
        "TestSpec.test_display_type",
        "TestSpec.test_defined_refs_exist_in_json_spec_file",
        "TestSpec.test_oauth_flow_parameters",
        "TestSpec.test_oauth_is_default_method",
        "TestSpec.test_backward_compatibility",
        "TestSpec.test_additional_properties_is_true",
        "TestSpec.test_image_labels",
        "TestSpec.test_image_environment_variables",
        "TestConnection.test_check",
        "TestDiscovery.test_discover",
        "TestDiscovery.test_streams_have_valid_json_schemas",
        "TestDiscovery.test_defined_cursors_exist_in_schema",
        "TestDiscovery.test_defined_refs_exist_in_schema",
        "TestDiscovery.test_defined_keyword_exist_in_schema",
        "TestDiscovery.test_primary_keys_exist_in_schema",
        "TestDiscovery.test_streams_has_sync_modes",
        "TestDiscovery.test_additional_properties_is_true",
        "TestDiscovery.test_backward_compatibility",
        "TestDiscovery.test_catalog_has_supported_data_types",
        "TestDiscovery.test_primary_keys_data_type",
        "TestBasicRead.test_read",
        "TestBasicRead.test_airbyte_trace_message_on_failure",
        "TestBasicRead.test_all_supported_file_types_present",
        "TestFullRefresh.test_sequential_reads",
        "TestIncremental.test_two_sequential_reads",
        "TestIncremental.test_read_sequential_slices",
        "TestIncremental.test_state_with_abnormally_large_values",
        "TestConnectorAttributes.test_streams_define_primary_key",
        "TestConnectorAttributes.test_certified_connector_has_allowed_hosts",
        "TestConnectorAttributes.test_certified_connector_has_suggested_streams",
        "TestConnectorDocumentation.test_prerequisites_content",
        "TestConnectorDocumentation.test_docs_structure",
        "TestConnectorDocumentation.test_docs_descriptions",
        "TestConnectorDocumentation.test_validate_links",
    ],
    TAP_TESTER: [
        "test_discovery",
        "test_sync_canary",
        "test_all_fields",
        "test_automatic_fields",
        "test_start_date",
        "test_bookmark",
        "test_interrupted_sync",
        "test_table_reset",
        "test_pagination",
    ],
}
"""The checks of the suites that are written anew here."""

_OF_THE_SCREEN: Final = "Words that Airbyte's screens read in a setting. Singer's settings have none of them."
_OF_THE_IMAGE: Final = (
    "Looks into a connector's Docker image. tests/test_repository.py reads the Dockerfile in its place."
)
_NO_OAUTH: Final = "Lexer has no OAuth: a token is all there is."
_WARNS: Final = "Airbyte only warns here, so it can't fail. The tap's own tests refuse dates that can't be read."
_OF_THE_DOCUMENTS: Final = (
    "Compares with the template of Airbyte's own pages. tests/test_readme.py compares README.md with the program."
)
_OF_THE_CERTIFICATE: Final = "Reads the metadata file of connectors that Airbyte certifies."

LEFT_OUT: Final[dict[str, dict[str, str]]] = {
    SDK: {
        "`StreamPrimaryKeysTest` can't fail": "It compares generators, each of which is another one. `test_read` of Airbyte's checks "
        "compares the keys themselves.",
        "`TapValidFinalStateTest` can't fail": "It looks for markers beside the bookmarks, and they would be inside. tests/test_sync.py "
        "looks there.",
        "tests of targets": "This is a tap.",
    },
    CHECK_TAP: {
        "BATCH messages": "The program passes over them: it was written before they were. tests/test_sync.py reads the batch files.",
        "`--tap` with the tap itself": "The program reads in a thread, waits for the tap's process alone, and breaks down if the thread has "
        "not ended by then. Here it runs the tap in a shell that ends when the thread has.",
        "`--tap` with a catalog": "The program passes none, so it reads the 17 streams that are selected by default. All 18 come "
        "through its standard input.",
    },
    AIRBYTE: {
        "TestSpec.test_object_not_empty": "Fails for `report_parameters`, an object that is open on purpose: what may stand in it is "
        "Lexer's to say. Airbyte's screens could not show it.",
        "TestSpec.test_additional_properties_is_true": "The opposite is promised: a setting that does not exist is refused, with the name "
        "that was probably meant. What Airbyte guards against, a setting that disappears, is refused by `test_backward_compatibility`.",
        "TestSpec.test_date_pattern": _WARNS,
        "TestSpec.test_date_format": _WARNS,
        "TestSpec.test_duplicate_order": _OF_THE_SCREEN,
        "TestSpec.test_nested_group": _OF_THE_SCREEN,
        "TestSpec.test_display_type": _OF_THE_SCREEN,
        "TestSpec.test_oauth_flow_parameters": _NO_OAUTH,
        "TestSpec.test_oauth_is_default_method": _NO_OAUTH,
        "TestSpec.test_image_labels": _OF_THE_IMAGE,
        "TestSpec.test_image_environment_variables": _OF_THE_IMAGE,
        "TestBasicRead.test_airbyte_trace_message_on_failure": "A message that Singer does not have. Errors are lines of the log, which "
        "tests/test_command.py reads.",
        "TestBasicRead.test_all_supported_file_types_present": "For connectors that read files of many formats.",
        "in TestBasicRead.test_read: columns without a value": "Four of `case_details`, which the sandbox's file names with their unit, "
        "and `additional_columns` of the streams whose answers have nothing but what is documented.",
        "TestConnectorAttributes.test_certified_connector_has_allowed_hosts": _OF_THE_CERTIFICATE,
        "TestConnectorAttributes.test_certified_connector_has_suggested_streams": _OF_THE_CERTIFICATE,
        "TestConnectorDocumentation.test_prerequisites_content": _OF_THE_DOCUMENTS,
        "TestConnectorDocumentation.test_docs_structure": _OF_THE_DOCUMENTS,
        "TestConnectorDocumentation.test_docs_descriptions": _OF_THE_DOCUMENTS,
        "TestConnectorDocumentation.test_validate_links": "Asks every linked site, and tests need no network.",
    },
    TAP_TESTER: {
        "test_pagination": "Lexer documents no pages. What comes in pieces are windows of time, and those are tested.",
        "in test_discovery: `forced-replication-method`": "The SDK does not write it, and nothing is forced: a catalog may ask for a full "
        "table. The catalog says the method of each stream as `replication_method`.",
        "in test_interrupted_sync: the order of streams": "The tap does not go on with the stream that `currently_syncing` names. Every "
        "stream has bookmarks of its own, so the order changes nothing.",
    },
}
"""What is left out of each suite, or can't fail there, or fails for a good reason: the reason."""


def write_figures(ended: list[tuple[str, str]], folder: Path) -> None:
    """Keep the tables `suites` and `left_out` of docs/proof.md.

    Args:
        ended: The file of each test, and how the test ended.
        folder: Where figures are kept.
    """
    rows = [_result(suite, [outcome for name, outcome in ended if name == file]) for file, suite in FILES.items()]
    if all(row["tests"] for row in rows):
        folder.mkdir(exist_ok=True)
        for table, content in (("suites", rows), ("left_out", left_out())):
            text = "".join(f"{json.dumps(row)}\n" for row in content)
            (folder / f"{table}.jsonl").write_text(text, encoding="utf-8")


def _result(suite: str, outcomes: list[str]) -> Row:
    return {
        "suite": suite,
        "tests": len(outcomes),
        "passed": outcomes.count("passed"),
        "left out": len(LEFT_OUT[suite]),
    }


def left_out() -> list[Row]:
    """The rows of what is left out, sorted."""
    found = {
        f"{suite.partition(':')[0]}: {name}": why
        for suite, reasons in LEFT_OUT.items()
        for name, why in reasons.items()
    }
    return [{"check": name, "why": found[name]} for name in sorted(found)]
