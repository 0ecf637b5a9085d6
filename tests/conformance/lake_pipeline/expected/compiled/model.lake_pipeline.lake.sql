
create connection lake with (type = 'iceberg', catalog.type = 'rest', catalog.uri = 'http://lake:8181', warehouse.path = 'demo')