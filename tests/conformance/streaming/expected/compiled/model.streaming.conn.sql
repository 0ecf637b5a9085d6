
CREATE CONNECTION conn WITH (type = 'iceberg')