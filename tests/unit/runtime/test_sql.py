"""What is said of a database that is away."""

import pytest
from sqlalchemy.exc import OperationalError

from runtime.errors import UnavailableError
from runtime.sql import create_sql_engine, database_errors


def test_a_database_that_is_away_is_named_without_its_password_wherever_the_url_has_it() -> None:
    engine = create_sql_engine("postgresql://user:hidden-1@db.invalid/sharpeyes?password=hidden-2&passfile=/hidden-3")
    with pytest.raises(UnavailableError) as caught, database_errors(engine):
        raise OperationalError("SELECT 1", None, Exception("no route"))
    assert "db.invalid/sharpeyes" in str(caught.value)
    assert "no route" in str(caught.value)
    assert "hidden" not in str(caught.value)
