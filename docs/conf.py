"""The documentation site: `uvx nox -s docs` builds it from this folder, without a network, and with warnings as errors."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

project = "tap-lexer-activity"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
copyright = "the contributors. Licensed under Apache-2.0"  # noqa: A001 (Sphinx wants this name)

extensions = ["myst_parser"]
myst_heading_anchors = 4  # links to headings are those of GitHub, so that the pages can be read in both places
myst_enable_extensions = ["deflist"]
suppress_warnings = ["misc.highlighting_failure"]  # samples leave out what differs, with an ellipsis
exclude_patterns = ["assets"]
nitpicky = True

html_theme = "furo"
html_title = f"{project} {version}"
html_logo = "assets/logo.svg"
html_favicon = "assets/logo.png"
html_static_path = ["assets"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
