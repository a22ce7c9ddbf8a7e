"""What import-linter's contracts do not see: a package's own `__init__` is no sibling of the modules within it."""

from __future__ import annotations

import grimp


def test_no_module_imports_what_imports_it():
    graph = grimp.build_graph("include", "perennial", "lab", "demo", "bench", "tests", cache_dir=None)
    circles = [
        (module, imported)
        for module in sorted(graph.modules)
        for imported in graph.find_modules_directly_imported_by(module)
        if module in graph.find_upstream_modules(imported)
    ]
    assert circles == []
