"""The command `source-lexer-activity`: the same streams by the Airbyte protocol.

The messages are written by hand. Airbyte's own models of them bring pydantic or more, and tests hold the messages against these models.
"""
