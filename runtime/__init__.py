"""Clock, errors, log, metrics, retry, supervised services, settings and SQL engines: no domain words."""
