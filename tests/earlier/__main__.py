"""`python -m tests.earlier`: write the present version's archive down."""

from tests.earlier import write

print(write())
