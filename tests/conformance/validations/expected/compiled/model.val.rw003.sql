
create subscription x from y with (retention_seconds = 1)