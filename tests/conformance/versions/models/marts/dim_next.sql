select 1 as id -- {{ model.name }} {{ model.version }} {{ model.latest_version }}
