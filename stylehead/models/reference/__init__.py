"""Published networks that no command reaches, kept as checked readings of their papers.

The paper builds on Live Speech Portraits and face-vid2vid. What these files say of their form is
compared with the published code's numbers or with its parameter names in tests/unit/models, so
that a deviation of ours can be told from a misreading.
"""
