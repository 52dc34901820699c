"""The tests, in folders that mirror the package; `helpers` holds what several of them share."""
