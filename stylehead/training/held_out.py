"""The people no stage trains on: every benchmark on clips is measured on them alone."""

PEOPLE = frozenset(
    {
        "andrew-ng",
        "bob-menendez",
        "david-beckham",
        "emmanuel-macron",
        "grid-h",
        "hdtf-RD_Radio22",
        "jamie-oliver",
        "kristi-noem",
        "mead-W036",
        "peter-roskam",
        "robert-downey-jr",
        "theresa-may",
        "unknown-10",
        "unknown-71",
        "unknown-74",
        "unknown-84",
    }
)
"""By `identity` in clips.tsv; chosen for variety of source, sex, language and picture, once."""
