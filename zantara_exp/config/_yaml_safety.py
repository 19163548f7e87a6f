"""What a YAML file of somebody else's would do before the schema sees it.

A few hundred bytes of anchors can mean billions of values, and a `_target_` below `hydra:` is called by Hydra itself.
"""

from __future__ import annotations

from pathlib import Path


def unfolded(path: Path) -> int:
    """Values in the file with every `*alias` in full; 0 for one without aliases, or that is no YAML at all.

    Only counted, never built. A file that cannot be read is for whoever loads it to complain about.
    """
    content = path.read_bytes()
    if b"*" not in content or b"&" not in content:
        return 0
    import yaml

    sizes: dict[str, int] = {}
    begun: list[tuple[str | None, int]] = [(None, 0)]
    """Anchors and sizes of the collections that have begun; the first is the file."""
    try:
        for event in yaml.parse(content, Loader=yaml.SafeLoader):
            anchor, size = getattr(event, "anchor", None), 0
            if isinstance(event, yaml.CollectionStartEvent):
                begun.append((anchor, 1))
                continue
            if isinstance(event, yaml.CollectionEndEvent):
                anchor, size = begun.pop()
            elif isinstance(event, yaml.AliasEvent):
                anchor, size = None, sizes.get(str(anchor), 1)
            elif isinstance(event, yaml.ScalarEvent):
                size = 1
            if anchor:
                sizes[anchor] = size
            begun[-1] = (begun[-1][0], begun[-1][1] + size)
    except (yaml.YAMLError, ValueError, RecursionError):
        return 0
    return begun[0][1]


def names_code(path: Path) -> bool:
    """Whether the file holds a key or value `_target_`, by which Hydra would import and call what it names."""
    content = path.read_bytes()
    if b"_target_" not in content and b"\\" not in content:  # within quotes YAML takes escapes
        return False
    import yaml

    try:
        events = yaml.parse(content, Loader=yaml.SafeLoader)
        return any(isinstance(event, yaml.ScalarEvent) and event.value == "_target_" for event in events)
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
