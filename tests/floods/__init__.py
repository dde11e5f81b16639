"""Do honest clients notice a flood? `python -m tests.floods` measures it."""
