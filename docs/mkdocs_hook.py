"""MkDocs hook: the site has all Markdown pages of the repository, and the files they link to."""

import re
import subprocess
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the files of docs/ by those of the repository, under their paths in it."""
    theme = [file for file in files if file.src_dir != config.docs_dir]
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    pages = subprocess.check_output(listed, cwd=ROOT, text=True).split()
    wanted = dict.fromkeys(page for page in pages if (ROOT / page).exists())
    for page in list(wanted):
        for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
            path = ((ROOT / page).parent / target).resolve()
            if path.is_file() and path.is_relative_to(ROOT):
                wanted[path.relative_to(ROOT).as_posix()] = None
    made = [File(path, str(ROOT), config.site_dir, config.use_directory_urls) for path in wanted]
    return Files([*theme, *made])
